"""Who holds a lock keeps it up, and says so when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from chassis import ownership
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


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_locks_are_shared_among_those_who_are_there(url: str) -> None:
    names = ["a", "b", "c", "d"]
    async with Ownership(url, "toy").claim("reader", names) as one:
        await until(lambda: one.held("reader") == set(names))
        async with Ownership(url, "toy").claim("reader", names) as other:
            await until(lambda: len(one.held("reader")) == len(other.held("reader")) == 2)
            assert one.held("reader") | other.held("reader") == set(names)


async def test_groups_are_shared_each_for_itself(url: str) -> None:
    async with Ownership(url, "toy").claim("relay", ["r"]).claim("reader", ["a", "b"]) as one:
        await until(lambda: one.holds("r") and one.held("reader") == {"a", "b"})
        async with Ownership(url, "toy").claim("reader", ["a", "b"]) as other:
            await until(lambda: len(other.held("reader")) == 1)
            assert one.held("relay") == {"r"}
            assert one.held("reader") | other.held("reader") == {"a", "b"}


async def test_a_heartbeat_that_hangs_gives_the_locks_up_and_tries_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = False

    async def slow(connection: Connection, query: Any, *parameters: Any) -> list[Row]:
        if hang:
            await asyncio.sleep(60)
        return await fetch(connection, query, *parameters)

    monkeypatch.setattr(ownership, "fetch", slow)
    monkeypatch.setattr(ownership, "HEARTBEAT_S", 0.5)
    async with Ownership(url, "toy").claim("relay", ["a"]) as found:
        await asyncio.wait_for(found.until("a"), 10)
        hang = True
        await until(lambda: not found.holds("a"))
        hang = False
        await asyncio.wait_for(found.until("a"), 10)
