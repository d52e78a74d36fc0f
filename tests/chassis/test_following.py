"""A follower looks often while another process writes, and seldom while nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext, suppress
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
    batch_max = 2

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


async def pauses(monkeypatch: pytest.MonkeyPatch, found: list[list[int]], *woken: int) -> list[float]:
    """How long is waited while this is found; the pauses of these numbers end by being woken."""
    waits: list[float] = []

    async def waited(event: asyncio.Event, at_most_s: float) -> bool:
        waits.append(at_most_s)
        if len(waits) in woken:
            event.set()
        return event.is_set()

    monkeypatch.setattr(following, "waited", waited)
    await Following(Held(found)).turn()
    return waits


async def test_what_was_found_unwoken_was_written_by_others_and_is_soon_followed_by_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is read on at once; then the pause is short, and grows to the long one."""
    found = [[], [], [1], [], [], [], [], [], [], [], [2], []]
    grown = [BUSY_S * 2**times for times in range(5)]
    assert await pauses(monkeypatch, found) == [POLL_S, POLL_S, *grown, POLL_S, POLL_S, BUSY_S]


async def test_while_nobody_else_writes_it_waits_to_be_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless there may be more than it read; what was there at the beginning says nothing of others."""
    assert await pauses(monkeypatch, [[1, 2], [3, 4], [], [5], []], 1) == [POLL_S] * 3


async def test_others_may_write_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process wrote meanwhile does not make it forget them."""
    assert await pauses(monkeypatch, [[], [1], [], [2], []], 2) == [POLL_S, BUSY_S, BUSY_S]
    monkeypatch.setattr(following, "OTHERS_S", -1.0)
    assert await pauses(monkeypatch, [[], [1], [], [2], []], 2) == [POLL_S] * 5


async def test_a_follower_that_was_not_told_that_it_is_cancelled_looks_no_more() -> None:
    class Deaf(Following):
        async def read(self, after: int) -> Sequence[int]:
            with suppress(asyncio.CancelledError) if len(self._found) == 3 else nullcontext():
                await asyncio.sleep(60)
            return self._found.pop(0)

    held = Held([[], [], []])
    async with asyncio.timeout(5), Deaf(held):
        await asyncio.sleep(0.01)
    assert len(held.found) == 2
