"""Timers: rows that become commands when the clock reaches them, each once."""

from __future__ import annotations

import asyncio

import structlog

from chassis.batch import Batch
from chassis.database import LOST
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.part import PAUSE_S, Part
from chassis.refusal import Conflict
from chassis.telemetry import TIMERS_FIRED
from chassis.waking import waited

LOCK = "timers"

POLL_S = 0.1
"""How often due timers are looked for without being woken."""

BATCH_MAX = 200

log = structlog.get_logger(__name__)


class Timers(Part):
    """Fires due timers in the order of their time and key."""

    name = "timers"

    def __init__(self, ground: Ground, ownership: Ownership) -> None:
        self._ground, self._ownership = ground, ownership.claim("timers", [LOCK])
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A simulated clock may have been moved."""
        self._wake.set()

    async def turn(self) -> None:
        """Fire what is due while the lock is held."""
        await self._ownership.until(LOCK)
        self._wake.clear()
        if not await self.fire():
            await waited(self._wake, POLL_S)

    async def fire(self) -> int:
        """Fire what is due, each timer in a transaction of its own; a broken one lets the others go on."""
        due = await self._ground.database.rows(DUE, self._ground.clock.now(), BATCH_MAX)
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
            await asyncio.sleep(PAUSE_S)
        return fired

    async def _fire_one(self, key: str) -> int:
        ground = self._ground
        async with ground.database.transaction() as connection:
            cursor = await connection.execute(TAKE, (key, ground.clock.now()))
            row = await cursor.fetchone()
            if row is None:
                return 0
            batch = Batch(connection, ground.service, ground.store.appender, ground.clock)
            command = ground.service.handlers.named(row["command"]).model_validate(row["body"])
            await batch.decide(command, batch.timer_cause(key, row["event_id"], row["correlation_id"]))
            await batch.finish()
        TIMERS_FIRED.inc()
        ground.store.committed()
        return 1


DUE = b"select key from timers where due_at <= %s order by due_at, key limit %s"
TAKE = b"delete from timers where key = %s and due_at <= %s returning *"
