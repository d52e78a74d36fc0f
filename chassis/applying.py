"""Applying records: projections, policies and positions of one batch in one transaction.

Exactly once in effect: positions move by compare-and-set in the transaction that writes the rows, the
follow-up events and their command ids. A record that a handler cannot apply is parked by handler and
key; later records of that key wait behind it for that handler, everything else flows.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import UnknownEvent, model_of
from caretrail_contracts.system import RecordDiscarded, RecordParked, RecordRedriven
from caretrail_contracts.wording import describe
from psycopg import AsyncCursor, DatabaseError
from psycopg.types.json import Jsonb

from chassis.batch import Batch, Handler
from chassis.command import Cause, Commit
from chassis.database import Connection, Database, Row, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.pace import Pace
from chassis.positions import FENCED, Fenced, Steps
from chassis.refusal import Conflict
from chassis.service import Service
from chassis.telemetry import APPLY_BATCH, APPLY_SECONDS, EVENTS_APPLIED, RECORDS_PARKED

BATCH_MAX = 1_000
"""Records of one transaction at most."""

CONFLICTS_MAX = 50
"""How often a batch is decided again after version conflicts before it is taken record by record."""

WAITS = "waits"
"""In the place of an error: this record was never tried."""


class Freed(Exception):
    """A key that was parked is no longer: what was to wait behind its first record is applied instead."""


class Parking:
    """Which keys are parked for which handlers, in memory as the table had it; the table decides."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parked, self.discarded = set[tuple[str, str]](), set[tuple[str, UUID, int]]()
        """Handler, id and position of what is never applied: a service that was restored gets it again."""

    async def load(self, database: Database) -> None:
        """Read the tables."""
        rows = await database.rows("select distinct handler, key from parked")
        self._parked = {(row["handler"], row["key"]) for row in rows}
        rows = await database.rows("select handler, event_id, position from discarded")
        self.discarded = {(row["handler"], row["event_id"], row["position"]) for row in rows}

    def waits(self, handler: str, key: str) -> bool:
        """Whether a record of this key must wait for this handler."""
        return (handler, key) in self._parked

    def remember(self, parked: Sequence[tuple[str, str]]) -> None:
        """These were parked by a transaction that is committed now."""
        self._parked |= set(parked)
        for handler, _ in parked:
            RECORDS_PARKED.labels(handler).inc()

    async def queue(
        self, connection: Connection, handler: str, record: Record, error: str, now: datetime
    ) -> AsyncCursor[Row]:
        """Park a record, or with ``WAITS`` let it wait behind one that is; no row where there is none."""
        about = record.envelope
        headers = {name: base64.b64encode(value).decode() for name, value in to_headers(about, record.prev)}
        place = (about.source, about.epoch, about.position)
        values = (handler, about.key, *place, about.id, Jsonb(headers))
        return await connection.execute(PARK, (*values, record.body, error, now))

    def event(self, handler: str, record: Record, error: str, now: datetime) -> Commit:
        """The fact that a record was parked, on a stream of its own."""
        about = record.envelope
        id = derive(self._service.name, "parked", handler, about.id)
        cause = Cause.own(id, self._service.name, "consumer", about.correlation_id, about.id)
        parked = RecordParked(**named(handler, about), error=error)
        return note(self._service, cause, now, "parked", parked, about)


def named(handler: str, about: Envelope) -> dict[str, Any]:
    """A record that is parked for a handler, as the events about it name it."""
    where = {"source": about.source, "position": about.position}
    return {"handler": handler, "event_id": about.id, "key": about.key, **where}


Note = RecordParked | RecordRedriven | RecordDiscarded


def note(service: Service, cause: Cause, now: datetime, kind: str, event: Note, about: Envelope) -> Commit:
    """A fact about a parked record. An archive's is not the patient's: it would wait behind that record."""
    keeps = any(type(archive).__name__ == event.handler for archive in service.archives)
    return Commit.note(cause, now, kind, event, None if keeps else about.patient, about.site)


class Applier:
    """Applies records to the handlers of a service; with ``archive`` also to those that keep every record.

    ``meanwhile`` is called when all of a batch is sent, and PostgreSQL is at work on it.
    """

    def __init__(
        self, ground: Ground, *, archive: bool, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self._ground, self._archive, self._meanwhile = ground, archive, meanwhile
        self.pace = Pace(BATCH_MAX)
        self._parking = Parking(ground.service)
        self._handlers = lru_cache(maxsize=1_024)(self._taking)
        self._waiting: list[AsyncCursor[Row]] = []

    async def load(self) -> None:
        """Read what is parked; call before the first batch, and when partitions change hands."""
        await self._parking.load(self._ground.database)

    async def apply(self, records: Sequence[Record], steps: Steps) -> None:
        """Apply records in order. Raises Fenced; lost connections come through as they are."""
        with APPLY_SECONDS.time():
            await self.pace.through(records, partial(self._transaction, steps))
        APPLY_BATCH.observe(len(records))
        EVENTS_APPLIED.labels(records[0].envelope.service).inc(len(records))

    async def _transaction(
        self, steps: Steps, records: Sequence[Record], careful: bool, unfit: Exception | None
    ) -> None:
        """Positions, rows, follow-up events: all or nothing, and again where a stream moved on.

        ``careful``: each handler under a savepoint; what fails is parked. ``unfit`` is what failed beside
        them: the record is parked for all. Raises Conflict where one alone is overtaken again and again.
        """
        if isinstance(unfit, Conflict):
            raise unfit
        ground = self._ground
        for _ in range(CONFLICTS_MAX):
            self._waiting = []
            # At once an error shows later than at its statement: too late for a savepoint.
            transaction = ground.database.transaction if careful else ground.database.transaction_at_once
            try:
                async with transaction(self.pace.limit_s) as connection:
                    await steps.move(connection, records, ground.member)
                    batch, parked = Batch(connection, ground), list[tuple[str, str]]()
                    for record in records:
                        parked += await self._handle(connection, batch, record, careful, unfit)
                    await batch.finish()
                    self._meanwhile()
                    if not (batch.staged or ground.service.archives):
                        # What a crash of the database takes back goes with its positions, and is applied
                        # again; what is sent on, or kept for ever, is waited for.
                        await connection.execute("set local synchronous_commit = off")
                    if any([await cursor.fetchone() is None for cursor in self._waiting]):
                        raise Freed
                steps.done()
                self._parking.remember(parked)
                batch.committed()
                return
            except Conflict:
                await asyncio.sleep(0)
            except Freed:
                await self.load()
            except DatabaseError as error:
                if error.sqlstate != FENCED:
                    raise
                raise Fenced(f"{steps.topic}: {error.diag.message_primary}") from error
        raise Conflict(f"a batch of {len(records)} records was overtaken {CONFLICTS_MAX} times")

    async def _handle(
        self, connection: Connection, batch: Batch, record: Record, careful: bool, unfit: Exception | None
    ) -> list[tuple[str, str]]:
        """Let every handler have a record; gives the handlers and keys for which it was parked."""
        about, key, parked, now = record.envelope, record.envelope.key, [], self._ground.clock.now
        for name, handler in self._handlers(about.service, about.type):
            if (name, about.id, about.position) in self._parking.discarded:
                continue
            if self._parking.waits(name, key):
                self._waiting.append(await self._parking.queue(connection, name, record, WAITS, now()))
            elif not careful:
                await batch.take(handler, record)
            elif error := unfit or await batch.attempt(handler, record):
                await self._parking.queue(connection, name, record, describe(error), now())
                batch.stage(self._parking.event(name, record, describe(error), now()))
                parked.append((name, key))
        return parked

    def _taking(self, source: str, event: str) -> list[tuple[str, Handler]]:
        """Who takes a service's records of a type; of an unknown one, only archives do."""
        service, found = self._ground.service, list[tuple[str, Handler]]()
        if self._archive:
            found += [(type(a).__name__, a) for a in service.archives if source in a.services]
        try:
            kind = model_of(event)
        except UnknownEvent:
            return found
        found += [(projection.name(), projection) for projection in service.folding(kind)]
        found += [(policy.name, policy) for policy in service.reacting(kind)]
        return found


PARK = query("park")
