"""Timers: rows that become commands when the clock reaches them, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chassis.batch import Batch
from chassis.clock import Clock
from chassis.database import LOST, Database
from chassis.ownership import Ownership
from chassis.postgres import Appender
from chassis.refusal import Conflict
from chassis.service import Service
from chassis.telemetry import TIMERS_FIRED
from chassis.waking import waited

LOCK = "timers"

POLL_S = 0.1
"""How often due timers are looked for without being woken."""

PAUSE_S = 0.5
BATCH_MAX = 200

log = structlog.get_logger(__name__)


class Timers:
    """Fires due timers in the order of their time and key."""

    def __init__(
        self, service: Service, database: Database, appender: Appender, clock: Clock, ownership: Ownership
    ) -> None:
        self._service, self._database, self._appender = service, database, appender
        self._clock, self._ownership = clock, ownership
        self._wake = asyncio.Event()
        self.on_commit: list[Callable[[], None]] = []

    def wake(self) -> None:
        """A simulated clock may have been moved."""
        self._wake.set()

    async def run(self) -> None:
        """Fire while the lock is held."""
        while True:
            await self._ownership.until(LOCK)
            try:
                self._wake.clear()
                if not await self.fire():
                    await waited(self._wake, POLL_S)
            except (Conflict, *LOST) as error:
                log.info("timers_interrupted", error=type(error).__name__)
                await asyncio.sleep(PAUSE_S)
            except Exception as error:
                log.error("timer_failed", error=type(error).__name__)
                await asyncio.sleep(PAUSE_S)

    async def fire(self) -> int:
        """Fire what is due, each timer in a transaction of its own; a broken one lets the others go on."""
        due = await self._database.rows(DUE, self._clock.now(), BATCH_MAX)
        fired, faults = 0, []
        for row in due:
            try:
                fired += await self._fire_one(row["key"])
            except (Conflict, *LOST):
                raise
            except Exception as error:
                faults.append(f"{row['key']}: {type(error).__name__}")
        if faults:
            log.error("timers_broken", timers=faults)
        return fired

    async def _fire_one(self, key: str) -> int:
        async with self._database.transaction() as connection:
            cursor = await connection.execute(TAKE, (key, self._clock.now()))
            row = await cursor.fetchone()
            if row is None:
                return 0
            batch = Batch(connection, self._service, self._appender, self._clock)
            command = self._service.handlers.named(row["command"]).model_validate(row["body"])
            await batch.decide(command, batch.timer_cause(key, row["event_id"], row["correlation_id"]))
            await batch.finish()
        TIMERS_FIRED.inc()
        for tell in self.on_commit:
            tell()
        return 1


DUE = b"select key from timers where due_at <= %s order by due_at, key limit %s"
TAKE = b"delete from timers where key = %s and due_at <= %s returning *"
