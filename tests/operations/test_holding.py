"""A lock is kept while work goes on elsewhere; who lost it, or comes back late, writes nothing more."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from chassis.config import database_url
from chassis.positions import Fenced
from operations import holding
from operations.filling import Filling, Site
from operations.holding import Held, while_held
from operations.job import Vector
from operations.rebuilding import Rebuild, Running, exclusive
from operations.shadows import SHADOW
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_rebuilding import refer, rows

pytestmark = pytest.mark.servers


async def test_a_lock_is_kept_while_work_goes_on_and_work_ends_where_it_is_lost(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "IDLE_TIMEOUT_MS", 400)
    monkeypatch.setattr(holding, "ASK_S", 0.05)
    async with holding.holding(database, "it", "test:holds") as connection:
        await while_held(connection, asyncio.sleep(1.2))
        with pytest.raises(Held):
            async with holding.holding(database, "it", "test:holds too"):
                pass
        ended, late = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            try:
                await late.wait()
            finally:
                ended.set()

        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
            await other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            await while_held(connection, work())
        assert ended.is_set()
    async with holding.holding(database, "it", "test:holds now"):
        pass


async def test_a_connection_that_nobody_asks_loses_its_lock(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process that is frozen."""
    monkeypatch.setattr(holding, "IDLE_TIMEOUT_MS", 100)
    async with holding.holding(database, "it", "test:frozen") as connection:
        async with holding.holding(database, "it", "test:next", waits=True):
            pass
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("select 1")


async def test_who_was_interrupted_writes_nothing_once_another_one_goes_on(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 10)
        await run.settle()
        site = Site(SCHEDULING, run.settings, database_url(run.settings, SCHEDULING.name))
        (counts,) = SCHEDULING.projections
        late: list[tuple[Filling, Vector]] = []
        fold = Filling.fold

        async def interrupted(filling: Filling, target: str, vector: Vector) -> None:
            """Fold; the first time somebody else goes on with it while this one is at it."""
            if not late:
                late.append((filling, vector))
                await filling._places(target, vector)
                await rows(run, "update rebuilds set turn = turn + 1 returning turn")
                await rows(run, "update rebuild_places set turn = turn + 1 returning turn")
                with pytest.raises(Running):
                    await Rebuild._close(rebuild, connection, {"outcome": "failed"})
                with pytest.raises(Fenced):
                    await fold(filling, target, vector)
            await fold(filling, target, vector)

        monkeypatch.setattr(Filling, "fold", interrupted)
        async with exclusive(site, counts) as connection:
            rebuild = Rebuild(site, counts, connection)
            await rebuild.plan("rebuild", 1)
            found = await rebuild.carry_out()
            assert (found["outcome"], found["folded"]) == ("swapped", 20)
            [state] = await rows(run, "select turn, phase from rebuilds")
            assert state == {"turn": 3, "phase": "ended"}
            assert late[0][0].turn == 3
            with pytest.raises(Running):
                await rebuild.carry_out()
            assert not await rows(run, f"select from pg_tables where schemaname = '{SHADOW}'")
