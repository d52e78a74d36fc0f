"""Who waits for the store is answered in time, whatever the database does; what was given up is not done."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from chassis import group
from chassis.database import LOST, Connection, connect
from chassis.refusal import Unavailable
from tests.chassis.test_store import commit, opened

pytestmark = pytest.mark.servers


async def test_a_reader_that_gives_up_leaves_the_others_what_they_wait_for(database: str) -> None:
    async with opened(database) as store:
        await store.append(commit("chart-1", count=3))
        first, *others = [asyncio.create_task(store.read_stream("chart-1")) for _ in range(100)]
        await asyncio.sleep(0)
        first.cancel()
        assert [len(facts) for facts in await asyncio.gather(*others)] == [3] * 99


async def test_a_reading_that_is_lost_is_told_to_all_whom_it_was_for_and_to_nobody_else(
    database: str,
) -> None:
    async with opened(database) as store:
        await store.append(commit("chart-1", count=3))
        fetch, is_read, goes_on = store._fetch, asyncio.Event(), asyncio.Event()

        async def is_lost(*about: Any) -> Any:
            store._fetch = fetch
            is_read.set()
            await goes_on.wait()
            raise psycopg.OperationalError

        store._fetch = is_lost
        waiting = [asyncio.create_task(store.read_stream("chart-1")) for _ in range(5)]
        await is_read.wait()
        meanwhile = [asyncio.create_task(store.read_stream("chart-1")) for _ in range(3)]
        await asyncio.sleep(0)
        assert store.depth == 3, "they are among what is bounded"
        goes_on.set()
        found = await asyncio.gather(*waiting, *meanwhile, return_exceptions=True)
        assert [type(one) for one in found] == [*[psycopg.OperationalError] * 5, *[list] * 3]
        assert store.depth == 0


async def test_all_who_load_streams_while_the_database_is_away_are_answered_in_time(
    database: str, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are: far more than one statement reads."""
    monkeypatch.setattr(group, "OUTAGE_MAX_S", 2.0)
    monkeypatch.setattr(group, "LOOK_S", 0.05)
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(servers["postgres"], autocommit=True) as admin:
        async with opened(database) as store:
            pool = store._fetch.__self__._pool  # type: ignore[attr-defined]
            monkeypatch.setattr(pool, "timeout", pool.timeout / 10)
            admin.execute(f"alter database {name} allow_connections false".encode())
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            async with asyncio.timeout(2 * group.OUTAGE_MAX_S):
                wanted = (store.read_stream(f"chart-{number}") for number in range(5 * group.STREAMS_MAX))
                found = await asyncio.gather(*wanted, return_exceptions=True)
            assert all(isinstance(one, (Unavailable, *LOST)) for one in found)
            admin.execute(f"alter database {name} allow_connections true".encode())
            async with asyncio.timeout(20):
                while store.depth or not pool.get_stats()["pool_available"]:
                    await asyncio.sleep(0.01)
            assert await store.read_stream("chart-1") == []


async def test_who_reads_over_a_line_that_hangs_is_answered_and_waits_for_nobody_after_it(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "OUTAGE_MAX_S", 0.3)
    monkeypatch.setattr(group, "LOOK_S", 0.05)
    async with opened(database) as store:
        fetch, goes_on = store._fetch, asyncio.Event()

        async def hangs(*about: Any) -> Any:
            await goes_on.wait()
            return await fetch(*about)

        store._fetch = hangs
        first = asyncio.create_task(store.read_stream("chart-1"))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            found = await asyncio.gather(first, store.read_stream("chart-2"), return_exceptions=True)
        assert [type(one) for one in found] == [Unavailable, Unavailable]
        assert store.depth == 0, "who was answered is not among those who wait"
        goes_on.set()
        assert await store.read_stream("chart-1") == []


async def test_a_stream_that_cannot_be_read_fails_alone(database: str) -> None:
    """Also those that wait for it beside others, and those that come after it."""
    async with opened(database) as store:
        for number in range(4):
            await store.append(commit(f"chart-{number}"))
        fetch = store._fetch

        async def damaged(statement: bytes, streams: list[str], *about: Any) -> Any:
            if "chart-2" in streams:
                raise psycopg.errors.DataCorrupted
            return await fetch(statement, streams, *about)

        store._fetch = damaged
        for _ in range(2):
            wanted = [f"chart-{number}" for number in (0, 2, 1, 2, 3)]
            found = await asyncio.gather(*map(store.read_stream, wanted), return_exceptions=True)
            bad = psycopg.errors.DataCorrupted
            assert [type(one) for one in found] == [list, bad, list, bad, list]
            assert len(await store.read_stream("chart-1")) == 1


async def test_a_commit_whose_caller_was_answered_before_it_was_sent_is_never_carried_out(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose turn had come, which waits for a connection."""
    monkeypatch.setattr(group, "OUTAGE_MAX_S", 0.3)
    monkeypatch.setattr(group, "LOOK_S", 0.05)
    goes_on = asyncio.Event()

    async def comes_late(*about: Any) -> Connection:
        await goes_on.wait()
        return await connect(*about)

    monkeypatch.setattr(group, "connect", comes_late)
    async with opened(database) as store, asyncio.timeout(20):
        first, second = commit(), commit()
        with pytest.raises(Unavailable):
            await store.append(first)
        waiting = asyncio.create_task(store.append(second))
        await asyncio.sleep(0)
        goes_on.set()
        await waiting
        assert [record.envelope.stream for record in await store.read(0, 10)] == [*second.streams]
        assert not (await store.append(first)).repeated


async def test_commits_that_wait_for_a_lock_of_others_are_answered_and_repeated_are_done_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose turn did not come are never written; the fault is over without anybody's commit."""
    for name, seconds in (("OUTAGE_MAX_S", 0.8), ("HANG_S", 0.3), ("SLOW_S", 0.1), ("LOOK_S", 0.05)):
        monkeypatch.setattr(group, name, seconds)
    async with opened(database) as store:
        first, second = commit(), commit()
        async with await psycopg.AsyncConnection.connect(database) as other:
            await other.execute("select pg_advisory_xact_lock(7161130662566718567)")
            waiting = asyncio.create_task(store.append(first))
            async with asyncio.timeout(20):
                while store.fault is None:
                    await asyncio.sleep(0.01)
                found = await asyncio.gather(waiting, store.append(second), return_exceptions=True)
            assert [type(each) for each in found] == [Unavailable, Unavailable]
            assert store.fault
        async with asyncio.timeout(20):
            while store.fault:
                await asyncio.sleep(0.01)
        await store.append(first)
        await store.append(second)
        records = await store.read(0, 10)
        assert [record.envelope.stream for record in records] == [*first.streams, *second.streams]
