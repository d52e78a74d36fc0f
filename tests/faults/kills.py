"""Rounds dense in kills: each process dies again once it is back, at any instant or at a point that is due.

What an earlier record holds is counted on: points that were reached least are armed first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from deploy.local.programs import SERVICES
from tests.faults import points
from tests.faults.faults import MISSED, Fault, Note, had_effect
from tests.faults.processes import AT, Kill, KillAtPoint
from tests.faults.surroundings import KillBroker, KillPostgres
from tests.faults.theatre import Theatre, answers, until

EACH = 5
"""How often every point must have killed."""

LIVES_S = 3.0
"""How long a service that is ready may work until it is killed, at most."""

STARTS_MAX_S = 30.0
WAITS_S = 12.0
"""How long an armed service that is ready may take to come to the point."""

OTHERS_S = (8.0, 20.0)
"""Rest between kills of those that are no services."""

SHORT = 0.25
"""The scale of their outages."""

OTHERS: tuple[tuple[str, float], ...] = (("payer", 2), ("mailbox", 2), ("kafka", 1), ("postgres", 1))
Told = dict[str, Any]


@dataclass
class Tally:
    """Processes killed so far, and how often at which point; ``missed`` counts arms that were taken back."""

    kills: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, faults: Iterable[Told]) -> Tally:
        """The sum of a record's faults."""
        found = cls()
        for fault in faults:
            found.add(fault["kind"], fault["told"], had_effect(fault))
        return found

    def add(self, kind: str, told: str, struck: bool) -> None:
        """Count a fault; none where it is no kill, or killed nobody."""
        if kind == "KillAtPoint" and not struck:
            name, point = told.split()[:2]
            self.missed[name, point] += 1
        elif not struck:
            return
        elif kind == "KillBroker":
            self.kills["kafka"] += 1
        elif kind == "KillPostgres":
            self.kills["postgres"] += told.startswith("SIGKILL")
        elif kind == "Kill":
            self.kills[told] += 1
        elif kind == "KillAtPoint":
            name, point = told.split()[:2]
            self.kills[name] += 1
            self.reached[point] += 1

    def due(self) -> list[str]:
        """Points that did not kill often enough yet."""
        return [point for point in points.ALL if self.reached[point] < EACH]

    def next(self, name: str, draw: Random) -> str:
        """The point at which a service is to die: the one that killed least, missed arms counting too."""
        found = [point for point in points.ALL if name in AT[point]]
        pressing = [point for point in found if self.reached[point] < EACH] or found
        tried = [(self.reached[point] + self.missed[name, point], draw.random(), point) for point in pressing]
        return min(tried, default=(0, 0.0, ""))[2]


class Siege:
    """What is done in such a round; ``tally`` goes on from what was done before."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    async def hurt(self, stage: Theatre, note: Note, seconds: float, seed: int) -> None:
        """Have a lane for every service, and one for all others; each fault is noted once it is over."""
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as together:
            for name in SERVICES:
                draw = Random(f"kills {seed} {name}")
                together.create_task(self._lane(stage, note, name, draw, end))
            together.create_task(self._others(stage, note, Random(f"kills {seed} others"), end))

    async def _lane(self, stage: Theatre, note: Note, name: str, draw: Random, end: float) -> None:
        while time.monotonic() < end:
            point = self.tally.next(name, draw) if draw.random() < self._share() else ""
            # What is armed or killed at once dies while it starts, else at work.
            if point in points.SWAPPING or draw.random() < 2 / 3:
                await answers(stage, name, STARTS_MAX_S)
            fault: Fault = Kill(stage, draw, LIVES_S, name=name)
            if point:
                fault = KillAtPoint(stage, draw, name=name, point=point, waits_s=WAITS_S)
            pid = stage.pid(name)
            await self._one(fault, note)
            if MISSED not in fault.told:
                await _another(stage, name, pid)

    def _share(self) -> float:
        """How many of the kills are at points: more as long as some are due."""
        return 0.6 if self.tally.due() else 0.3

    async def _others(self, stage: Theatre, note: Note, draw: Random, end: float) -> None:
        names, weights = zip(*OTHERS, strict=True)
        while True:
            await asyncio.sleep(draw.uniform(*OTHERS_S))
            if time.monotonic() >= end:
                return
            [name] = draw.choices(names, weights)
            kinds: dict[str, type[Fault]] = {"kafka": KillBroker, "postgres": KillPostgres}
            fault = kinds[name](stage, draw, SHORT) if name in kinds else Kill(stage, draw, name=name)
            await self._one(fault, note)

    async def _one(self, fault: Fault, note: Note) -> None:
        began = time.monotonic()
        await fault.strike()
        self.tally.add(type(fault).__name__, fault.told, fault.struck)
        note(fault, began)


async def _another(stage: Theatre, name: str, pid: int) -> None:
    """Wait until the one that died was reaped, and the next is there."""
    await until(lambda: stage.pid(name) not in (0, pid), STARTS_MAX_S)
