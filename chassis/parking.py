"""Parking: records that a handler could not apply, and those of the same key that wait behind them."""

from __future__ import annotations

import base64
from datetime import datetime

from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.system import RecordParked
from psycopg.types.json import Jsonb

from chassis.command import Cause, Commit
from chassis.database import Connection, Database
from chassis.ids import derive
from chassis.telemetry import RECORDS_PARKED


class Parking:
    """Which keys are parked for which handlers, in memory as the table has it."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._parked: set[tuple[str, str]] = set()

    async def load(self, database: Database) -> None:
        """Read the table."""
        rows = await database.rows("select distinct handler, key from parked")
        self._parked = {(row["handler"], row["key"]) for row in rows}

    def waits(self, handler: str, key: str) -> bool:
        """Whether a record of this key must wait for this handler."""
        return (handler, key) in self._parked

    def remember(self, parked: list[tuple[str, str]]) -> None:
        """These were parked by a transaction that is committed now."""
        self._parked |= set(parked)

    async def queue(
        self, connection: Connection, handler: str, record: Record, error: str, now: datetime
    ) -> None:
        """Park a record, or let it wait behind one that is."""
        about = record.envelope
        headers = {name: base64.b64encode(value).decode() for name, value in to_headers(about, record.prev)}
        values = (handler, about.key, about.source, about.position, about.id, Jsonb(headers))
        await connection.execute(PARK, (*values, record.body, error, now))
        RECORDS_PARKED.labels(handler).inc()

    def event(self, handler: str, record: Record, error: str, now: datetime) -> Commit:
        """The fact that a record was parked, on a stream of its own."""
        about = record.envelope
        id = derive(self._service, "parked", handler, about.id)
        cause = Cause.own(id, self._service, "consumer", about.correlation_id, about.id)
        parked = RecordParked(
            handler=handler,
            event_id=about.id,
            key=about.key,
            source=about.source,
            position=about.position,
            error=error,
        )
        return Commit.note(cause, now, "parked", parked, about.patient, about.site)


PARK = b"""
insert into parked (handler, key, source, position, event_id, headers, body, error, parked_at)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (handler, source, position) do update set attempts = parked.attempts + 1
"""
