"""Transactions in one round trip, plans that their tables outgrew, sessions, and whose doing an error is."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg_pool.base import AttemptWithBackoff

from chassis.database import LOST, POOL_MAX, Connection, Database, connect, fetch, is_lost

pytestmark = pytest.mark.servers
INSERT = b"insert into numbers values (%s)"


@pytest.fixture
async def numbers(database: str) -> AsyncIterator[Database]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table numbers (number integer primary key)")
    async with Database(database) as found:
        yield found


async def inserted(connection: Connection, *given: int) -> None:
    for number in given:
        await connection.execute(INSERT, (number,))


async def there(numbers: Database) -> list[int]:
    """What is committed, seen by the connection that was used before: the pool has one."""
    assert numbers.waits()["pool_size"] == 1
    return [row["number"] for row in await numbers.rows("select * from numbers order by 1")]


async def test_it_commits_what_was_sent_and_shows_it_within(numbers: Database) -> None:
    async with numbers.transaction_at_once() as connection:
        await inserted(connection, 1)
        [row] = await fetch(connection, "select number from numbers")
        await inserted(connection, row["number"] + 1)
    assert await there(numbers) == [1, 2]


async def failing(numbers: Database, *given: int, looks: bool) -> None:
    """Insert, look or not, and raise where no statement did."""
    async with numbers.transaction_at_once() as connection:
        await inserted(connection, *given)
        if looks:
            await fetch(connection, "select 1")
        if len(given) == len(set(given)):
            raise LookupError


@pytest.mark.parametrize("looks", [True, False], ids=["seen within", "seen at its end"])
@pytest.mark.parametrize(
    ("given", "error"), [((1, 2, 1), psycopg.errors.UniqueViolation), ((1, 2), LookupError)]
)
async def test_what_fails_takes_back_what_came_before(
    numbers: Database, looks: bool, given: tuple[int, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await failing(numbers, *given, looks=looks)
    assert await there(numbers) == []
    async with numbers.transaction_at_once() as connection:
        await inserted(connection, 1)
    assert await there(numbers) == [1]


async def selected(numbers: Database) -> None:
    """As often as it takes until each connection of a full pool has prepared it."""
    for _ in range(12):
        await asyncio.gather(
            *(numbers.rows("select *, pg_sleep(0.01) from numbers") for _ in range(POOL_MAX))
        )


async def test_a_table_that_gets_a_column_is_read_on_over_every_connection(
    numbers: Database, database: str
) -> None:
    async with AsyncExitStack() as held:
        for _ in range(POOL_MAX):
            await held.enter_async_context(numbers.connection())
    await selected(numbers)
    assert numbers.waits()["pool_size"] == POOL_MAX
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table numbers add column more text")
    await selected(numbers)


async def test_a_plan_that_its_table_outgrew_is_no_fault_of_what_asked(
    numbers: Database, database: str
) -> None:
    async with numbers.connection() as connection:
        for more in ("one", "two"):
            for _ in range(8):
                await fetch(connection, "select * from numbers")
            with psycopg.connect(database, autocommit=True) as other:
                other.execute(f"alter table numbers add column {more} text".encode())
            with pytest.raises(psycopg.errors.FeatureNotSupported) as stale:
                await fetch(connection, "select * from numbers")
            assert is_lost(stale.value)
            await connection.execute("deallocate all")
        with pytest.raises(psycopg.errors.FeatureNotSupported) as asked:
            await fetch(connection, "select 'NaN'::numeric::int")
        assert not is_lost(asked.value)


SURROUNDINGS = (
    "25006",
    "25P03",
    "25P04",
    "42501",
    "53100",
    "57014",
    "57P01",
    "58030",
    "XX000",
    "XX001",
    "XX002",
)
TOO_MUCH = ("54000", "54001", "54011", "54023")
OF_THE_STATEMENT = ("0A000", "22P02", "23505", "25P02", "42P01", "42883", *TOO_MUCH, "P0001")


@pytest.mark.parametrize("state", [*SURROUNDINGS, *OF_THE_STATEMENT])
async def test_whose_doing_an_error_is(numbers: Database, state: str) -> None:
    raising = f"do $$ begin raise exception using errcode = '{state}'; end $$"
    with pytest.raises(psycopg.Error) as raised:
        await numbers.rows(raising.encode())
    assert raised.value.sqlstate == state
    assert is_lost(raised.value) == (state in SURROUNDINGS)


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "step by step"])
async def test_a_transaction_whose_process_stands_still_lets_go_and_is_lost(
    numbers: Database, at_once: bool
) -> None:
    """Left open within a pipeline, its session counts as active: no limit of idle ones ends that."""
    transaction = numbers.transaction_at_once if at_once else numbers.transaction

    async def stands_still() -> None:
        async with transaction(0.3) as connection:
            await fetch(connection, "select pg_advisory_xact_lock(7)")
            async with asyncio.timeout(20):
                await numbers.rows("select pg_advisory_xact_lock(7)")
            await inserted(connection, 1)
            await fetch(connection, "select 1")

    with pytest.raises(LOST) as raised:
        await stands_still()
    assert is_lost(raised.value)
    assert await numbers.rows("select * from numbers") == []


async def test_what_waits_where_nobody_answers_is_told_and_what_comes_next_connects_anew(
    numbers: Database,
) -> None:
    async def waits() -> None:
        async with numbers.connection() as connection:
            await fetch(connection, "select pg_sleep(600)")

    async with asyncio.timeout(20):
        waiting = asyncio.create_task(waits())
        while numbers.waited_s == 0:
            await asyncio.sleep(0.01)
        await numbers.give_up()
        with pytest.raises(psycopg.OperationalError):
            await waiting
        assert numbers.waited_s == 0
        assert await numbers.rows("select 1 as one") == [{"one": 1}]


@pytest.mark.parametrize("ends", ["lost", "cancelled"])
async def test_what_lost_its_connection_is_not_held_up_by_another_on_which_nobody_answers(
    numbers: Database, ends: str
) -> None:
    """Be it that it ends of itself or is to; and that other one is made anew."""
    async with numbers.connection() as one, numbers.connection() as other:
        pids = {one.info.backend_pid, other.info.backend_pid}
    taken = asyncio.get_running_loop().create_future()

    async def loses() -> None:
        async with numbers.connection() as connection:
            taken.set_result(connection.info.backend_pid)
            await fetch(connection, "select pg_sleep(600)")

    with psycopg.connect(numbers.url, autocommit=True) as admin:
        losing = asyncio.create_task(loses())
        [silent] = pids - {await taken}
        os.kill(silent, signal.SIGSTOP)
        try:
            admin.execute("select pg_terminate_backend(%s)", [taken.result()])
            async with asyncio.timeout(10):
                while numbers.waited_s:
                    await asyncio.sleep(0.01)
                if ends == "cancelled":
                    losing.cancel()
                assert (await asyncio.wait({losing}, timeout=5))[0]
                [error] = await asyncio.gather(losing, return_exceptions=True)
                assert isinstance(
                    error, asyncio.CancelledError if ends == "cancelled" else psycopg.OperationalError
                )
                while numbers.waits()["pool_available"] < 2:
                    await asyncio.sleep(0.01)
                assert await numbers.rows("select 1 as one") == [{"one": 1}]
        finally:
            os.kill(silent, signal.SIGCONT)


SETTINGS = {
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "datestyle": "German, DMY",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-15",
    "intervalstyle": "iso_8601",
    "standard_conforming_strings": "off",
    "timezone": "Asia/Tokyo",
}
"""How a database may be set up that others use too."""


async def test_values_are_read_as_they_are_whatever_a_database_says(database: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as connection:
        for setting, value in SETTINGS.items():
            connection.execute(f"alter database {name} set {setting} = '{value}'".encode())
    async with Database(database) as found:
        rows = await found.rows(WRITTEN, "Ж")
        alone = await connect(database, options="-c idle_session_timeout=20s")
        assert await fetch(alone, WRITTEN, "Ж") == rows
        await alone.close()
    assert rows == [
        {
            "at": datetime(2026, 3, 12, 10, tzinfo=UTC),
            "lasts": timedelta(days=1, hours=2),
            "number": 0.1,
            "bytes": b"\x00\xff",
            "written": "\\x00ff 2026-03-12 10:00:00+00",
            "letter": "Ж",
            "pattern": r"\d",
            "level": "read committed",
        }
    ]


WRITTEN = rb"""
select timestamptz '2026-03-12 10:00Z' as at, interval '1 day 2 hours' as lasts, 0.1::float8 as number,
    decode('00ff', 'hex') as bytes,
    concat(decode('00ff', 'hex'), ' ', timestamptz '2026-03-12 10:00Z') as written,
    %s as letter, '\d' as pattern, current_setting('transaction_isolation') as level
"""


async def test_a_database_that_was_away_for_long_is_found_again_soon_and_without_being_asked(
    database: str, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt's pause grows each time; how long one goes on with that is bounded."""
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", 600.0)
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    found = Database(database)
    monkeypatch.setattr(found._pool, "reconnect_timeout", found._pool.reconnect_timeout / 20)
    async with found, asyncio.timeout(20):
        with psycopg.connect(servers["postgres"], autocommit=True) as admin:
            admin.execute(f"alter database {name} allow_connections false".encode())
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            with pytest.raises(LOST):
                await found._rows("select 1", ())
            while found.waits().get("connections_errors", 0) < 4:
                await asyncio.sleep(0.01)
            admin.execute(f"alter database {name} allow_connections true".encode())
        while not found.waits()["pool_available"]:
            await asyncio.sleep(0.01)
        assert await found.rows("select 1 as one") == [{"one": 1}]
