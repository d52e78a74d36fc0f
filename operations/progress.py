"""Progress: how far a service is, and what waits or is under way, for who watches or drives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from chassis.database import arrays, query
from chassis.office import AdapterOffice
from chassis.positions import OWN
from chassis.runtime import Role, Runtime
from chassis.waking import waited

LOOK_S, LOOK_APART_S = 0.5, 0.05
"""How often progress is looked at while nothing is known to have moved: where the service's other roles
have processes of their own, only looking shows what they did."""

TURN = 500
"""Ids derived before other work has its turn: some 20 ms."""

PULSE_S, PULSES_MAX = 0.01, 10
"""What moves on within this time is told together, so often at most."""


class Progress:
    """Looks at a running service."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._ground = runtime, runtime.ground
        self._pending = Pending(runtime)

    async def changes(self) -> AsyncIterator[dict[str, Any]]:
        """The progress now, and again each time that it is another."""
        before, pause = None, LOOK_S if self._runtime.role is Role.ALL else LOOK_APART_S
        while True:
            moved = self._ground.moved.next()
            found = await self._moving()
            if found != before:
                yield found
            before = found
            await waited(moved, pause)
            for _ in range(PULSES_MAX):
                if not await waited(self._ground.moved.next(), PULSE_S):
                    break

    async def now(self) -> dict[str, Any]:
        """Heads of the own log, marks of relay and consumers, what waits or is under way or parked."""
        [row] = await self._ground.database.rows(PARKED)
        return await self._moving() | row

    async def _moving(self) -> dict[str, Any]:
        """What moves; what is parked is counted, row by row, only for who asks once.

        A driver that moves simulated time asks for it, so timers that are due are fired at once. What is read
        from the database holds for all processes of the service, ``queued`` and ``watched`` for this one.
        """
        runtime, ground = self._runtime, self._ground
        [row] = await ground.database.rows(PROGRESS, ground.topic, ground.clock.now())
        if row["due"] and runtime.timers:
            runtime.timers.wake()
        consumed: dict[str, dict[str, int]] = {}
        for topic, partition, source, position in row.pop("positions") or ():
            consumed.setdefault(OWN if topic == OWN else source, {})[str(partition)] = position
        return {
            "service": runtime.service.name,
            "source": runtime.origin.source,
            "sources": list(runtime.service.sources()),
            **row,
            "next_due": row["next_due"] and row["next_due"].isoformat(),
            "consumed": consumed,
            "queued": ground.store.depth,
            "effects": await self._pending.count(row["head"]),
            "reaches_out": bool(runtime.service.effects or runtime.service.watches),
            "watched": sum(watcher.pending for watcher in runtime.watchers),
        }


class Pending:
    """Counts the effects of a service that are neither done nor parked, in whichever process."""

    def __init__(self, runtime: Runtime) -> None:
        self._ground, self._service = runtime.ground, runtime.service
        self._types = [effect.event.type() for effect in runtime.service.effects]
        self._seen, self._waiting = 0, dict[tuple[str, UUID], tuple[UUID, int]]()

    async def count(self, head: int) -> int:
        """Effects of events up to the log's head that wait."""
        if self._types and head > self._seen:
            rows = await self._ground.database.rows(NEW, self._seen, head, self._types)
            for number, row in enumerate(rows):
                for effect in self._service.acting(row["type"]):
                    office = AdapterOffice(self._ground, effect.name)
                    command = office.command_id(str(row["id"]))
                    self._waiting[effect.name, row["id"]] = command, row["position"]
                if number % TURN == 0:
                    await asyncio.sleep(0)
            self._seen = head
        if waiting := sorted(self._waiting.items()):
            about = [(*effect, *known) for effect, known in waiting]
            for row in await self._ground.database.rows(FINISHED, *arrays(about)):
                self._waiting.pop((row["effect"], row["event_id"]), None)
        return len(self._waiting)


NEW = b"""
select e.id, e.type, e.position from effect_marks m cross join lateral (
    select id, type, position from events
    where partition = m.partition and position > greatest(m.position, %s) and position <= %s
        and type = any(%s)
) e
"""
"""Events whose effects may wait: those above the marks, for below them all is done or parked."""

PARKED = b"select count(*) as parked from parked"
PROGRESS, FINISHED = query("progress", "operations"), query("effects_finished", "operations")
