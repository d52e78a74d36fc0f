"""Applying records: projections, policies and positions of one batch in one transaction.

Exactly once in effect: positions move by compare-and-set in the transaction that writes the rows, the
follow-up events and their command ids. A record that a handler cannot apply is parked by handler and
key; later records of that key wait behind it for that handler, everything else flows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.event import Event, UnknownEvent, model_of
from pydantic import ValidationError

from chassis.batch import Batch
from chassis.clock import Clock
from chassis.database import LOST, Connection, Database
from chassis.parking import Parking
from chassis.policy import Policy
from chassis.positions import Fenced
from chassis.postgres import Appender
from chassis.projection import Archive, Projection
from chassis.refusal import Conflict
from chassis.service import Service
from chassis.telemetry import EVENTS_APPLIED

CONFLICTS_MAX = 50
"""How often a batch is decided again after version conflicts before it is taken record by record."""

log = structlog.get_logger(__name__)


class Steps(Protocol):
    """Moves a reader's positions with each transaction."""

    async def move(self, connection: Connection, records: Sequence[Record]) -> None:
        """Move to the records, within the transaction. Raises Fenced."""
        ...

    def done(self) -> None:
        """The transaction is committed."""
        ...


Handler = Projection | Policy | Archive


class Applier:
    """Applies records to the handlers of a service."""

    def __init__(self, service: Service, database: Database, appender: Appender, clock: Clock) -> None:
        self._service, self._database = service, database
        self._appender, self._clock = appender, clock
        self._parking = Parking(appender.origin.service)
        self.on_commit: list[Callable[[], None]] = []

    async def load(self) -> None:
        """Read what is parked; call before the first batch, and when partitions change hands."""
        await self._parking.load(self._database)

    async def apply(self, records: Sequence[Record], steps: Steps, *, archive: bool = True) -> None:
        """Apply records in order. Raises Fenced; lost connections come through as they are."""
        if not records:
            return
        for _ in range(CONFLICTS_MAX):
            try:
                await self._whole(records, steps, archive)
                break
            except Conflict:
                await asyncio.sleep(0)
            except (Fenced, asyncio.CancelledError, *LOST):
                raise
            except Exception as error:
                log.warning("batch_failed", records=len(records), error=type(error).__name__)
                await self._one_by_one(records, steps, archive)
                break
        else:
            raise Conflict(f"a batch of {len(records)} records was overtaken {CONFLICTS_MAX} times")
        EVENTS_APPLIED.labels(records[0].envelope.service).inc(len(records))
        for tell in self.on_commit:
            tell()

    async def _whole(self, records: Sequence[Record], steps: Steps, archive: bool) -> None:
        async with self._database.transaction() as connection:
            await steps.move(connection, records)
            batch = self._batch(connection)
            for record in records:
                event = _decoded(record)
                for name, handler in self._handlers(record, event, archive):
                    if self._parking.waits(name, record.envelope.key):
                        await self._parking.queue(connection, name, record, "waits", self._clock.now())
                    else:
                        await batch.take(handler, record, event)
            await batch.finish()
        steps.done()

    async def _one_by_one(self, records: Sequence[Record], steps: Steps, archive: bool) -> None:
        for record in records:
            await self._alone(record, steps, archive)

    async def _alone(self, record: Record, steps: Steps, archive: bool) -> None:
        """One record in a transaction, each handler under a savepoint; what fails is parked."""
        for _ in range(CONFLICTS_MAX):
            try:
                async with self._database.transaction() as connection:
                    await steps.move(connection, [record])
                    parked = await self._each_handler(connection, record, archive)
                steps.done()
                self._parking.remember(parked)
                return
            except Conflict:
                await asyncio.sleep(0)
        raise Conflict(f"position {record.envelope.position} was overtaken {CONFLICTS_MAX} times")

    async def _each_handler(
        self, connection: Connection, record: Record, archive: bool
    ) -> list[tuple[str, str]]:
        parked, batch = [], self._batch(connection)
        event, fault = _try_decoded(record)
        for name, handler in self._handlers(record, event, archive, fault is not None):
            key = record.envelope.key
            if self._parking.waits(name, key):
                await self._parking.queue(connection, name, record, "waits", self._clock.now())
                continue
            error = fault if fault and not isinstance(handler, Archive) else None
            error = error or await self._attempt(connection, batch, handler, record, event)
            if error:
                await self._parking.queue(connection, name, record, describe(error), self._clock.now())
                batch.stage(self._parking.event(name, record, describe(error), self._clock.now()))
                parked.append((name, key))
        await batch.finish()
        return parked

    async def _attempt(
        self, connection: Connection, batch: Batch, handler: Handler, record: Record, event: Event | None
    ) -> Exception | None:
        mark = batch.mark()
        try:
            async with connection.transaction():
                await batch.take(handler, record, event)
                await batch.flush()
        except (Conflict, *LOST):
            raise
        except Exception as error:
            batch.back_to(mark)
            return error
        return None

    def _batch(self, connection: Connection) -> Batch:
        return Batch(connection, self._service, self._appender, self._clock)

    def _handlers(
        self, record: Record, event: Event | None, archive: bool, undecodable: bool = False
    ) -> list[tuple[str, Handler]]:
        found: list[tuple[str, Handler]] = []
        if archive:
            service = record.envelope.service
            found += [(type(a).__name__, a) for a in self._service.archives if service in a.services]
        kind = type(event) if event else _model(record) if undecodable else None
        if kind:
            found += [(projection.name(), projection) for projection in self._service.folding(kind)]
            found += [(policy.name, policy) for policy in self._service.reacting(kind)]
        return found


def describe(error: Exception) -> str:
    """An error without the values that it is about: its class, and places where it names some."""
    if isinstance(error, ValidationError):
        places = ["/" + "/".join(map(str, item["loc"])) + ": " + item["type"] for item in error.errors()]
        return f"{error.title}: {'; '.join(places)}"[:400]
    return type(error).__name__


def _decoded(record: Record) -> Event | None:
    """The event; None for an unknown type, which projections and policies skip."""
    try:
        return record.decode()
    except UnknownEvent:
        return None


def _try_decoded(record: Record) -> tuple[Event | None, Exception | None]:
    try:
        return _decoded(record), None
    except ValueError as error:
        return None, error


def _model(record: Record) -> type[Event] | None:
    try:
        return model_of(record.envelope.type)
    except UnknownEvent:
        return None
