"""How much one transaction does: less where that took too long, each thing in order and once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from chassis import pace
from chassis.clock import SharedClock
from chassis.command import Command, Commit, Handlers, Work
from chassis.database import LIMIT_S
from chassis.pace import Pace
from chassis.positions import Fenced
from tests.chassis import toy
from tests.chassis.test_engine import counts, types
from tests.conftest import Run


class Rounds:
    """Things of which one takes one unit of time, some more; its limits are those of the pace, in units."""

    def __init__(self, all: int, **slow: int) -> None:
        self.pace, self._slow = Pace(all), {int(name[1:]): units for name, units in slow.items()}
        self.done, self.tried, self.unfit = list[int](), list[int](), list[int]()
        self.bad: dict[int, Exception] = {}
        self.now = 0.0

    async def work(self, some: Sequence[int], apart: bool, unfit: Exception | None) -> None:
        assert not apart or len(some) == 1
        if isinstance(unfit, LookupError):
            self.unfit += some
            return
        self.tried.append(len(some))
        units = sum(self._slow.get(thing, 1) for thing in some)
        self.now += min(units, self.pace.limit_s)
        if units > self.pace.limit_s:
            raise psycopg.OperationalError("the connection is lost")
        for error in (self.bad[thing] for thing in some if thing in self.bad):
            raise error
        self.done += some

    async def through(self, count: int) -> None:
        await self.pace.through(range(count), self.work)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    def given(all: int, **slow: int) -> Rounds:
        found = Rounds(all, **slow)
        monkeypatch.setattr(pace, "monotonic", lambda: found.now)
        return found

    return given


async def test_what_takes_too_long_at_once_is_done_in_parts_and_more_again_where_these_take_little(
    work: Any,
) -> None:
    given = work(64)
    await given.through(64)
    assert given.done == [*range(64)]
    assert given.tried == [64, 32, 16, *[8] * 8]
    given._slow = dict.fromkeys(range(64), 0)
    given.tried.clear()
    await given.through(64)
    assert given.tried == [8, 16, 32, 8]
    assert given.pace.most == 64


async def test_one_thing_that_takes_longer_than_all_may_gets_a_longer_limit_alone(work: Any) -> None:
    given = work(2, _1=200)
    await given.through(4)
    assert given.done == [0, 1, 2, 3]
    assert given.pace.limit_s == LIMIT_S
    assert given.tried == [2, 1, 2, 1, 1, 1, 1]


async def test_what_ended_once_as_where_its_process_was_frozen_gets_no_longer_limit(work: Any) -> None:
    given = work(8, _0=20)
    limits = []

    async def once(some: Sequence[int], *_: Any) -> None:
        limits.append(given.pace.limit_s)
        given._slow = {} if len(limits) > 1 else given._slow
        await given.work(some, False, None)

    await given.pace.through([0], once)
    assert limits == [LIMIT_S, LIMIT_S]


async def test_what_takes_longer_than_the_longest_limit_is_told(work: Any) -> None:
    given = work(2, _1=301)
    with pytest.raises(psycopg.errors.TransactionTimeout):
        await given.through(4)
    assert given.done == [0]


async def test_what_fails_of_itself_keeps_only_itself_from_being_done(work: Any) -> None:
    given = work(8)
    given.bad[5] = LookupError()
    await given.through(16)
    assert given.tried == [8, *[1] * 8, 8]
    assert given.done == [number for number in range(16) if number != 5]
    assert given.unfit == [5]


@pytest.mark.parametrize("error", [Fenced(), psycopg.OperationalError()])
async def test_what_others_do_to_it_comes_through_at_once(work: Any, error: Exception) -> None:
    given = work(8)
    given.bad[5] = error
    with pytest.raises(type(error)):
        await given.through(8)
    assert given.tried == [8]


async def test_who_was_not_told_that_it_is_cancelled_ends_with_what_is_in_hand() -> None:
    done, begun = list[int](), asyncio.Event()

    async def deaf(some: Sequence[int], *_: Any) -> None:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60 if not done else 0)
        done.extend(some)

    going = asyncio.create_task(Pace(2).through(range(8), deaf))
    await begun.wait()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert done == [0, 1]


@pytest.mark.servers
async def test_feeds_and_timers_do_in_parts_what_takes_longer_than_a_transaction_may(
    running: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, patients = Handlers.decide, [str(uuid4()) for _ in range(3)]

    async def slowly(handlers: Handlers, command: Command, work: Work) -> Commit:
        await asyncio.sleep(0.4 if isinstance(command, toy.Accept | toy.Reject) else 0)
        return await decide(handlers, command, work)

    monkeypatch.setattr(Handlers, "decide", slowly)
    monkeypatch.setattr(pace, "LIMIT_S", 0.3)
    clock = SharedClock(tmp_path / "clock", create=datetime(2026, 3, 2, 9, tzinfo=UTC))
    with capture_logs() as logs:
        async with running(toy.INTAKE, toy.SCHEDULING, clock_file=tmp_path / "clock") as run:
            for patient in patients:
                await run.post("intake", "/referrals", {"patient": patient, "urgency": "urgent"})
            await run.settle()
            assert await types(run, "scheduling") == ["EnrollmentRejected"] * 3
            clock.move(clock.now() + timedelta(hours=1))
            await run.settle()
            assert await counts(run) == dict.fromkeys(patients, (1, 1))
    told = [line["event"] for line in logs]
    assert "took_too_long" in told
    assert "interrupted" not in told
