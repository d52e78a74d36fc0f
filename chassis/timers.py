"""Timers: rows that become commands when the clock reaches them, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from chassis.batch import Batch
from chassis.command import Cause
from chassis.database import fetch, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.pace import Pace
from chassis.part import PAUSE_S, Part
from chassis.refusal import Conflict
from chassis.telemetry import TIMERS_FIRED
from chassis.waking import waited

LOCK = "timers"

POLL_S = 0.5
"""How often due timers are looked for without being woken."""

BATCH_MAX = 200

log = structlog.get_logger(__name__)


class Timers(Part):
    """Fires due timers in the order of their time and key."""

    name = "timers"

    def __init__(self, ground: Ground, ownership: Ownership) -> None:
        self._ground, self._ownership = ground, ownership.claim("timers", [LOCK])
        self._wake, self._pace, self._left = asyncio.Event(), Pace(BATCH_MAX), list[tuple[str, str]]()

    def wake(self) -> None:
        """A simulated clock may have been moved."""
        self._wake.set()

    async def turn(self) -> None:
        """Fire what is due while the lock is held."""
        await self._ownership.until(LOCK)
        self._wake.clear()
        await waited(self._wake, 0 if await self.fire() else POLL_S)

    async def fire(self) -> int:
        """Fire what is due, as many at once as go, and behind those that fail even alone; gives how many."""
        rows, now = self._ground.database.rows, self._ground.clock.now()
        self._left, fired, after = [], 0, ("-infinity", "")
        while self._ownership.holds(LOCK) and (due := await rows(DUE, now, *after, BATCH_MAX)):
            await self._pace.through([row["key"] for row in due], self._fire)
            fired, after = fired + len(due), (due[-1]["due_at"], due[-1]["key"])
        self.fault, self.minor = f"{len(self._left)} not fired" if self._left else None, True
        if self._left:
            tell = log.warning if {error for _, error in self._left} == {Conflict.__name__} else log.error
            tell("timers_left", timers=[": ".join(each) for each in self._left[:BATCH_MAX]])
            # Not waited: who looks at progress wakes as long as one is due.
            await asyncio.sleep(PAUSE_S)
        return fired - len(self._left)

    async def _fire(self, keys: Sequence[str], apart: bool, unfit: Exception | None) -> None:
        if unfit:
            self._left.append((keys[0], type(unfit).__name__))
            return
        ground = self._ground
        transaction = ground.database.transaction(self._pace.limit_s)
        async with transaction as connection, connection.pipeline():
            rows = await fetch(connection, TAKE, list(keys), ground.clock.now())
            batch = Batch(connection, ground)
            for row in sorted(rows, key=lambda row: (row["due_at"], row["key"])):
                command = ground.service.handlers.named(row["command"]).model_validate(row["body"])
                name, event = ground.service.name, row["event_id"]
                id = derive(name, "timer", row["key"], event)
                await batch.decide(command, Cause.own(id, name, "timer", row["correlation_id"], event))
            await batch.finish()
        TIMERS_FIRED.inc(len(rows))
        batch.committed()
        self.fault = self.fault if self.minor else None


DUE = query("due")
TAKE = b"delete from timers where key = any(%s) and due_at <= %s returning *"
