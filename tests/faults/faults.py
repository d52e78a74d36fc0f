"""What a fault is, and lanes of them: one after the other, each kind once, then by weights.

Each strikes once and mends what it broke before it returns, so that the run goes on. Who did nothing says so:
where the process was down, the connections none, the topic empty, nothing was hurt.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Protocol, TypeVar

from tests.faults.theatre import Theatre

T = TypeVar("T")

DOWN, MISSED = "(was down)", "(not reached)"
"""What is told of a kill that killed nobody."""

IDLE: dict[str, str] = {
    "TwoRelays": "",  # nobody saw to it that the second one came up
    "Churn": "",
    "Kill": re.escape(DOWN),
    "KillAtPoint": re.escape(MISSED),
    "CutAfterCommit": r"^0 ",
    "CutDatabase": r"^0 ",
    "CutBroker": r"^0 ",
    "Repeated": r"^0 ",
    "Reordered": r"^0 ",
    "DiskFull": r"^no small disk",
    "LoseTopic": r", 0 events",
    **dict.fromkeys(
        ("Poison", "UnknownVersion", "UnknownType", "Headless", "Oversized"), r"^_MSG|^no answer"
    ),
}
"""By kind, what older records tell of a fault without effect; they do not say so in another way."""


def had_effect(told: Mapping[str, Any]) -> bool:
    """Whether a fault of a record did anything."""
    if "struck" in told:
        return bool(told["struck"])
    idle = IDLE.get(told["kind"])
    return idle is None or not re.search(idle, told["told"])


class Note(Protocol):
    """Takes a fault that is over, and when it began by the monotonic clock."""

    def __call__(self, fault: Fault, began: float) -> None:
        """Put it down."""


class Hurt(Protocol):
    """What is done in a round, for so many seconds."""

    async def __call__(self, stage: Theatre, note: Note, seconds: float, seed: int) -> None:
        """Do it, and end."""


async def lane(
    stage: Theatre,
    note: Note,
    draw: Random,
    end: float,
    kinds: dict[type[Fault], float],
    scale: float = 1.0,
    made: Callable[[Fault], None] = lambda _: None,
) -> None:
    """Faults of these kinds, one after the other; ``made`` completes each."""
    start, turns = draw.randrange(60), Counter[type[Fault]]()
    for kind in plan(draw, kinds):
        await asyncio.sleep(draw.uniform(0.5, 3))
        if time.monotonic() >= end:
            return
        fault, began = kind(stage, Random(draw.random()), scale), time.monotonic()
        fault.start, fault.turn = start, turns[kind]
        turns[kind] += 1
        made(fault)
        await fault.strike()
        note(fault, began)


def plan(draw: Random, kinds: Mapping[T, float]) -> Iterator[T]:
    """Each kind that has a weight once, in any order, so that no round lacks one; then by weights."""
    first = [kind for kind, weight in kinds.items() if weight]
    yield from draw.sample(first, len(first))
    while True:
        yield draw.choices(list(kinds), list(kinds.values()))[0]


@dataclass
class Fault:
    """One kind of harm. ``scale`` shortens it for short runs; ``told`` says what was done.

    ``struck`` is whether anything was. ``turn`` counts those of its kind before it in its lane, and ``start``
    is drawn for the lane.
    """

    theatre: Theatre
    draw: Random
    scale: float = 1.0
    told: str = ""
    struck: bool = True
    turn: int = 0
    start: int = 0
    weight: ClassVar[float] = 1.0

    async def strike(self) -> None:
        """Do it, and mend it."""
        raise NotImplementedError

    async def lasting(self, least: float, most: float) -> None:
        """Let it last: seconds at full scale."""
        await asyncio.sleep(self.draw.uniform(least, most) * self.scale)

    def in_turn(self, names: Sequence[str]) -> str:
        """One of them: each in its turn within a lane, from any of them on."""
        return names[(self.start + self.turn) % len(names)]
