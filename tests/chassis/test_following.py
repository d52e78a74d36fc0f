"""A follower looks often while another process writes, and seldom while nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from chassis import following
from chassis.following import BUSY_S, POLL_S, Follower
from chassis.waking import Signal


class Held:
    """Locks that are held until nothing is left to look at."""

    def __init__(self, found: list[list[int]]) -> None:
        self.found = found

    async def until(self, name: str) -> None: ...

    def holds(self, name: str) -> bool:
        return bool(self.found)


class Following(Follower):
    def __init__(self, held: Held) -> None:
        ground: Any = SimpleNamespace(store=SimpleNamespace(appended=Signal()))
        ownership: Any = held
        super().__init__(ground, ownership, "lock")
        self._found = held.found

    async def begin(self) -> int:
        return 0

    async def read(self, after: int) -> Sequence[int]:
        return self._found.pop(0)

    async def take(self, found: Sequence[int]) -> int:
        return found[-1]


async def test_the_pause_is_short_after_something_was_found_and_grows_to_the_long_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def waited(event: asyncio.Event, at_most_s: float) -> bool:
        pauses.append(at_most_s)
        return False

    monkeypatch.setattr(following, "waited", waited)
    await Following(Held([[], [], [1], [], [], [], [], [], [], [], [2], []])).turn()
    grown = [BUSY_S * 2**times for times in range(5)]
    assert pauses == [POLL_S, POLL_S, *grown, POLL_S, POLL_S, BUSY_S]
