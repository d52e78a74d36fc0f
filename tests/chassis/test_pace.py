"""How much one transaction does: less where that took too long, each thing in order and once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from chassis import pace
from chassis.database import LIMIT_S
from chassis.pace import Pace
from chassis.positions import Fenced


class Work:
    """Things of which one takes one unit of time, some more; its limits are those of the pace, in units."""

    def __init__(self, all: int, **slow: int) -> None:
        self.pace, self._slow = Pace(all), {int(name[1:]): units for name, units in slow.items()}
        self.done, self.tried = list[int](), list[int]()
        self.bad: dict[int, Exception] = {}
        self.now = 0.0

    async def together(self, some: Sequence[int]) -> None:
        self.tried.append(len(some))
        units = sum(self._slow.get(thing, 1) for thing in some)
        self.now += min(units, self.pace.limit_s)
        if units > self.pace.limit_s:
            raise psycopg.OperationalError("the connection is lost")
        for error in (self.bad[thing] for thing in some if thing in self.bad):
            raise error
        self.done += some

    async def alone(self, thing: int) -> None:
        await self.together([thing])

    async def through(self, count: int) -> None:
        await self.pace.through(range(count), self.together, self.alone)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    def given(all: int, **slow: int) -> Work:
        found = Work(all, **slow)
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


async def test_what_takes_longer_than_the_longest_limit_is_told(work: Any) -> None:
    given = work(2, _1=301)
    with pytest.raises(psycopg.errors.TransactionTimeout):
        await given.through(4)
    assert given.done == [0]


async def test_what_fails_of_itself_keeps_only_itself_from_being_done(work: Any) -> None:
    given = work(8)
    given.bad[5] = LookupError()
    with pytest.raises(LookupError):  # who does it alone decides what becomes of it
        await given.through(8)
    assert given.tried == [8, *[1] * 6]
    assert given.done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("error", [Fenced(), psycopg.OperationalError()])
async def test_what_others_do_to_it_comes_through_at_once(work: Any, error: Exception) -> None:
    given = work(8)
    given.bad[5] = error
    with pytest.raises(type(error)):
        await given.through(8)
    assert given.tried == [8]
