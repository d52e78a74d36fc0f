"""A part goes on whatever a library does within; a client that cannot stop is let go of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from chassis import kafka, part
from chassis.kafka import stopped
from chassis.part import Part


async def cancels_within() -> None:
    """As aiokafka does: a task of its own is cancelled and waited for."""
    inner = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    inner.cancel()
    await inner


async def hangs() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise KafkaConnectionError


async def ends() -> None:
    await asyncio.sleep(0)


class Client:
    def __init__(self, stop: Callable[[], Awaitable[None]]) -> None:
        self.stop = stop


@pytest.mark.parametrize(
    ("stop", "told"),
    [
        (cancels_within, ["CancelledError"]),
        (hangs, ["TimeoutError"]),
        (fails, ["KafkaConnectionError"]),
        (ends, []),
    ],
)
async def test_whoever_stops_a_client_goes_on_and_says_why_it_was_let_go(
    stop: Callable[[], Awaitable[None]], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "STOP_MAX_S", 0.05)
    monkeypatch.setattr(kafka, "log", structlog.get_logger())
    with capture_logs() as logs:
        await stopped(Client(stop))
    assert [line["error"] for line in logs if line["event"] == "client_let_go"] == told


async def test_whoever_is_cancelled_while_a_client_stops_ends() -> None:
    stopping = asyncio.create_task(stopped(Client(hangs)))
    await asyncio.sleep(0.01)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping


class Turning(Part):
    name = "turning"

    def __init__(self) -> None:
        self.turns, self.faults = 0, list[str | None]()
        self.again = asyncio.Event()

    async def turn(self) -> None:
        self.turns += 1
        if self.turns == 1:
            await cancels_within()
        self.again.set()
        await hangs()

    async def close(self) -> None:
        self.faults.append(self.fault)


async def test_what_is_cancelled_within_a_turn_interrupts_it_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(part, "PAUSE_S", 0.0)
    turning = Turning()
    running = asyncio.create_task(turning.run())
    async with asyncio.timeout(5):
        await turning.again.wait()
    assert turning.faults == ["CancelledError"]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert turning.turns == 2


class Broken(Part):
    """Has a bug in its turn and one in letting go, each until it is mended."""

    name = "broken"

    def __init__(self) -> None:
        self.turns, self.mended = 0, False
        self.again = asyncio.Event()

    async def turn(self) -> None:
        self.turns += 1
        if not self.mended:
            raise LookupError
        self.fault = None
        self.again.set()
        await hangs()

    async def close(self) -> None:
        if not self.mended:
            raise ZeroDivisionError


async def test_a_bug_interrupts_a_part_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "PAUSE_S", 0.0)
    monkeypatch.setattr(part, "log", structlog.get_logger())
    with capture_logs() as logs:
        async with asyncio.timeout(5), Broken() as broken:
            while broken.turns < 3:
                await asyncio.sleep(0)
            assert (broken.fault, broken.minor) != (None, True)
            assert broken.task
            assert not broken.task.done()
            broken.mended = True
            await broken.again.wait()
            assert broken.fault is None
    told = {(line["log_level"], line["part"], line["error"]) for line in logs}
    assert told == {("error", "broken", "LookupError"), ("error", "broken", "ZeroDivisionError")}


class Deaf(Part):
    """Is not told once that it is cancelled, as by what waits for a connection that comes at that moment."""

    turns = 0

    async def turn(self) -> None:
        self.turns += 1
        with suppress(asyncio.CancelledError) if self.turns == 2 else nullcontext():
            await asyncio.sleep(0 if self.turns == 1 else 60)


async def test_a_part_that_was_not_told_that_it_is_cancelled_ends_with_its_turn() -> None:
    async with asyncio.timeout(5), Deaf() as deaf:
        while deaf.turns < 2:
            await asyncio.sleep(0)
    assert deaf.turns == 2
