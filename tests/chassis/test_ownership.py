"""Who holds a lock keeps it up, and says so when it cannot."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from chassis import ownership, part
from chassis.database import Connection, Row, fetch
from chassis.ownership import Ownership
from tests.chassis.test_store import TABLES

pytestmark = pytest.mark.servers


@pytest.fixture
def url(database: str) -> str:
    """A database with the chassis' tables."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    return database


MOVED_MAX_S = 3.0
"""What moves within a second is given this long, where other tests run beside it."""

KILLED = """
import asyncio, sys
from chassis.ownership import Ownership

async def hold(url):
    async with Ownership(url, "toy").claim("reader", "abcd") as found:
        while len(found.held("reader")) < 2:
            await asyncio.sleep(0.01)
        print("holds", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold(sys.argv[1]))
"""


async def until(true: Callable[[], bool], at_most_s: float = 10) -> None:
    async with asyncio.timeout(at_most_s):
        while not true():
            await asyncio.sleep(0.01)


async def test_locks_are_shared_among_those_who_are_there(url: str) -> None:
    names = ["a", "b", "c", "d"]
    async with Ownership(url, "toy").claim("reader", names) as one:
        await until(lambda: one.held("reader") == set(names))
        async with Ownership(url, "toy").claim("reader", names) as other:
            await until(lambda: len(one.held("reader")) == len(other.held("reader")) == 2)
            assert one.held("reader") | other.held("reader") == set(names)


async def test_who_comes_hands_over_or_stops_tells_the_others(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "LOOK_S", 60)
    names = ["a", "b", "c", "d"]
    async with Ownership(url, "toy").claim("reader", names) as one:
        await until(lambda: one.held("reader") == set(names))
        async with Ownership(url, "toy").claim("reader", names) as other:
            await until(lambda: len(other.held("reader")) == 2, MOVED_MAX_S)
        await until(lambda: one.held("reader") == set(names), MOVED_MAX_S)


async def test_names_are_given_back_and_taken_in_the_order_in_which_they_are_claimed(url: str) -> None:
    names = ["b0", "a0", "b1", "a1"]
    async with Ownership(url, "toy").claim("reader", names) as one:
        await until(lambda: one.held("reader") == set(names))
        async with Ownership(url, "toy").claim("reader", names) as other:
            await until(lambda: len(other.held("reader")) == 2, MOVED_MAX_S)
            assert one.held("reader") == {"b0", "a0"}
            assert other.held("reader") == {"b1", "a1"}


async def test_what_is_left_by_one_that_stops_goes_to_those_who_stay(url: str) -> None:
    names = [str(number) for number in range(7)]
    async with Ownership(url, "toy").claim("reader", names).claim("relay", ["r"]) as one:
        await until(lambda: one.holds("r") and len(one.held("reader")) == 7)
        rest = [Ownership(url, "toy").claim("reader", names).claim("relay", ["r"]) for _ in range(2)]
        async with rest[0], rest[1]:
            await until(lambda: len(one.held("reader")) == 3 and sum(held(rest)) == 4)
            await one.__aexit__()
            await until(lambda: sorted(held(rest)) == [3, 4], MOVED_MAX_S)
            await until(lambda: any(each.holds("r") for each in rest), MOVED_MAX_S)


def held(several: list[Ownership]) -> list[int]:
    return [len(each.held("reader")) for each in several]


async def test_what_a_killed_process_held_goes_to_those_who_stay(url: str) -> None:
    async with Ownership(url, "toy").claim("reader", "abcd") as stays:
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, url, stdout=asyncio.subprocess.PIPE
        )
        assert killed.stdout is not None
        assert await asyncio.wait_for(killed.stdout.readline(), 30) == b"holds\n"
        assert len(stays.held("reader")) == 2
        killed.kill()
        await until(lambda: stays.held("reader") == set("abcd"), MOVED_MAX_S)
        await killed.wait()


async def test_who_loses_its_session_knows_it_and_its_share_goes_to_others(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "PAUSE_S", 60)
    async with Ownership(url, "toy").claim("reader", "abcd") as loses:
        await until(lambda: len(loses.held("reader")) == 4)
        async with Ownership(url, "other").claim("reader", "abcd") as other:
            await until(lambda: len(loses.held("reader")) == len(other.held("reader")) == 2)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(END, ("toy:locks:%",))
            await until(lambda: not loses.held("reader") and len(other.held("reader")) == 4, MOVED_MAX_S)


END = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name like %s and datname = current_database()
"""


async def test_groups_are_shared_each_for_itself(url: str) -> None:
    async with Ownership(url, "toy").claim("relay", ["r"]).claim("reader", ["a", "b"]) as one:
        await until(lambda: one.holds("r") and one.held("reader") == {"a", "b"})
        async with Ownership(url, "toy").claim("reader", ["a", "b"]) as other:
            await until(lambda: len(other.held("reader")) == 1)
            assert one.held("relay") == {"r"}
            assert one.held("reader") | other.held("reader") == {"a", "b"}


async def test_a_look_that_hangs_gives_the_locks_up_and_tries_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang, given_up = False, asyncio.Event()

    async def slow(connection: Connection, query: Any, *parameters: Any) -> list[Row]:
        if hang:
            try:
                await asyncio.sleep(60)
            finally:
                await given_up.wait()
        return await fetch(connection, query, *parameters)

    monkeypatch.setattr(ownership, "fetch", slow)
    monkeypatch.setattr(ownership, "HANG_S", 0.5)
    async with Ownership(url, "toy").claim("relay", ["a"]) as found:
        await asyncio.wait_for(found.until("a"), 10)
        hang = True
        await until(lambda: not found.holds("a"))
        hang = False
        given_up.set()
        await asyncio.wait_for(found.until("a"), 10)
