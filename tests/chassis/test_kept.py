"""What a process keeps serves its doors, readers and timers, and is believed at its version alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from chassis.batch import Batch
from chassis.database import Connection, connect
from chassis.executor import Executor
from chassis.group import PostgresStore
from chassis.refusal import Conflict
from chassis.snapshots import SNAPSHOT_EVERY
from tests.chassis.test_snapshots import CLOCK, Bell, Ring, batch_of, cause, handlers, postgres, rung, whole

__all__ = ["postgres"]
pytestmark = pytest.mark.servers


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    async with await connect(database) as found:
        yield found


@pytest.fixture
def executor(postgres: PostgresStore) -> Executor:
    return Executor(postgres, handlers, CLOCK)


@pytest.fixture
async def bell(executor: Executor) -> UUID:
    """A bell that was rung once, and is kept."""
    id = uuid4()
    await executor.execute(Ring(bell=id), cause())
    return id


async def reacted(connection: Connection, batch: Batch, bell: UUID, times: int = 1) -> None:
    async with connection.transaction():
        for _ in range(times):
            await batch.decide(Ring(bell=bell), cause())
        await batch.finish()
    batch.committed()


def no_loading(loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def load(cls: Any, id: UUID) -> None:
        raise AssertionError(f"{cls.__name__} is loaded")

    monkeypatch.setattr(loader, "load", load)


async def test_doors_and_readers_decide_by_what_the_other_left(
    postgres: PostgresStore,
    executor: Executor,
    connection: Connection,
    bell: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_loading(postgres, monkeypatch)
    for _ in range(2):
        batch = batch_of(connection, postgres, executor)
        no_loading(batch, monkeypatch)
        await reacted(connection, batch, bell)
        await executor.execute(Ring(bell=bell), cause())
    assert (await whole(postgres, bell))["rung"] == 5


async def test_what_another_process_overtook_is_decided_again_from_the_store(
    postgres: PostgresStore, executor: Executor, connection: Connection, bell: UUID
) -> None:
    await rung(postgres, bell, 1)
    with pytest.raises(Conflict):
        await reacted(connection, batch_of(connection, postgres, executor), bell)
    await reacted(connection, batch_of(connection, postgres, executor), bell)
    assert (await whole(postgres, bell))["rung"] == 3
    assert executor.kept[Bell.stream_of(bell)].version == 3


async def test_what_was_rolled_back_is_kept_nowhere(
    postgres: PostgresStore, executor: Executor, connection: Connection, bell: UUID
) -> None:
    batch = batch_of(connection, postgres, executor)
    async with connection.transaction():
        await batch.decide(Ring(bell=bell), cause())
        await batch.finish()
        raise psycopg.Rollback
    assert Bell.stream_of(bell) not in executor.kept
    await executor.execute(Ring(bell=bell), cause())
    assert (await whole(postgres, bell))["rung"] == 2


async def test_two_commands_on_what_was_overtaken_are_a_conflict_too(
    postgres: PostgresStore, executor: Executor, connection: Connection, bell: UUID
) -> None:
    await rung(postgres, bell, 2)
    with pytest.raises(Conflict):
        await reacted(connection, batch_of(connection, postgres, executor), bell, times=2)
    assert (await whole(postgres, bell))["rung"] == 3


async def test_what_others_kept_lacks_what_a_batch_has_written_itself(
    postgres: PostgresStore, executor: Executor, connection: Connection, bell: UUID
) -> None:
    batch = batch_of(connection, postgres, executor)
    async with connection.transaction():
        await batch.decide(Ring(bell=bell), cause())
        batch._aggregates.clear()  # as a refusal on the stream leaves it
        loaded = await postgres.load(Bell, bell)
        assert loaded is not None
        executor.kept.keep({loaded.stream: loaded})  # as a door that only looked leaves it
        await batch.decide(Ring(bell=bell), cause())
        await batch.finish()
    assert (await whole(postgres, bell))["rung"] == 3


async def test_rows_are_read_again_behind_a_stream_that_is_new_to_the_batch(
    postgres: PostgresStore, executor: Executor, connection: Connection, bell: UUID
) -> None:
    """Else a batch decides by the newest stream and by rows of before it."""
    batch, snapshot = batch_of(connection, postgres, executor), {"stream": Bell.stream_of(bell)}
    async with connection.transaction():
        assert await batch.rows("snapshots", snapshot) == []
        await rung(postgres, bell, SNAPSHOT_EVERY)
        await batch.decide(Ring(bell=bell), cause())
        assert len(await batch.rows("snapshots", snapshot)) == 1
