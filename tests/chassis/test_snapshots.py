"""Snapshots: what is loaded by one is what the stream folds to, and it counts for its own code alone."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, ClassVar, get_args, get_type_hints
from uuid import UUID, uuid4

import psycopg
import pytest
from caretrail_contracts.envelope import Actor
from caretrail_contracts.event import Event
from caretrail_contracts.intake import ReferralAccepted
from pydantic import ValidationError

import services
from chassis.aggregate import Aggregate
from chassis.batch import Batch
from chassis.command import Cause, Command, Handlers, Work
from chassis.database import Connection
from chassis.executor import Executor
from chassis.group import PostgresStore
from chassis.policy import Policies
from chassis.service import Service
from chassis.snapshots import SNAPSHOT_EVERY, restored, take
from chassis.store import Origin, Store
from chassis.waking import Signal
from tests.chassis.test_store import opened
from tests.memory import MemoryStore, replayed
from tests.scenario import FixedClock, held

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOCK = FixedClock(NOW)


class Bell(Aggregate):
    category: ClassVar[str] = "bell"
    rung: int = 0
    by: set[UUID] | None = None

    def when(self, fact: Event) -> None:
        self.rung += 1
        self.by = {self.id}


class Ring(Command):
    bell: UUID


handlers = Handlers()


@handlers.handles(Ring)
async def ring(command: Ring, work: Work) -> None:
    bell = await work.find(Bell, command.bell)
    if bell is None:
        work.add(Bell.start(command.bell, ReferralAccepted(), work.now))
    else:
        bell.record(ReferralAccepted(), work.now)


SERVICE = Service("intake", handlers, Policies())


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(Origin("intake"))
        return
    async with opened(request.getfixturevalue("database")) as found:
        yield found


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[PostgresStore]:
    async with opened(database) as found:
        yield found


def cause() -> Cause:
    id = uuid4()
    return Cause(command_id=id, actor=Actor("a", "b"), purpose="TREAT", correlation_id=id)


async def rung(store: Store, bell: UUID, times: int) -> None:
    executor = Executor(store, handlers, CLOCK)
    for _ in range(times):
        await executor.execute(Ring(bell=bell), cause())


async def whole(store: Store, bell: UUID) -> dict[str, Any]:
    """What the whole stream folds to."""
    return held(replayed(Bell, bell, await store.read_stream(Bell.stream_of(bell))))


async def versions(store: PostgresStore) -> list[int]:
    """The versions at which snapshots stand."""
    rows = await store._fetch("select stream_version from snapshots order by stream")
    return [row["stream_version"] for row in rows]


async def test_what_is_loaded_is_what_the_stream_folds_to_at_every_length(store: Store) -> None:
    bell = uuid4()
    for length in range(1, 2 * SNAPSHOT_EVERY + 5):
        await rung(store, bell, 1)
        found = await store.load(Bell, bell)
        assert found is not None
        assert held(found) == await whole(store, bell)
        assert found.version == length
        assert length - found.snapshot < SNAPSHOT_EVERY, "the newest snapshot is used"


async def test_a_stream_that_was_long_before_it_had_a_snapshot_gets_one(store: Store) -> None:
    bell = uuid4()
    for _ in range(SNAPSHOT_EVERY - 1):
        await rung(store, bell, 1)
    found = await store.load(Bell, bell)
    assert found is not None
    assert found.snapshot == 0
    await rung(store, bell, 1)
    found = await store.load(Bell, bell)
    assert found is not None
    assert found.snapshot == SNAPSHOT_EVERY


async def test_kept_and_snapshotted_aggregates_decide_alike(store: Store) -> None:
    """One process keeps the bell in memory; the others load it by the snapshots that each of them takes."""
    bell = uuid4()
    first = Executor(store, handlers, CLOCK)
    for number in range(3 * SNAPSHOT_EVERY):
        await (first if number % 3 else Executor(store, handlers, CLOCK)).execute(Ring(bell=bell), cause())
    assert (await whole(store, bell))["rung"] == 3 * SNAPSHOT_EVERY
    found = await store.load(Bell, bell)
    assert found is not None
    assert held(found) == await whole(store, bell)


@pytest.mark.servers
async def test_who_loads_a_stream_beside_others_gets_all_of_it(postgres: PostgresStore) -> None:
    """They wait for one statement: its answer is nobody's to take the snapshot out of."""
    bell = uuid4()
    await rung(postgres, bell, SNAPSHOT_EVERY + 7)
    found = await asyncio.gather(*(postgres.load(Bell, bell) for _ in range(5)))
    assert await versions(postgres) == [SNAPSHOT_EVERY]
    assert [held(each) for each in found if each] == [await whole(postgres, bell)] * 5


async def test_there_is_no_aggregate_without_events(store: Store) -> None:
    assert await store.load(Bell, uuid4()) is None


@pytest.mark.servers
async def test_a_snapshot_counts_for_the_code_alone_that_took_it(postgres: PostgresStore) -> None:
    bell = uuid4()
    await rung(postgres, bell, SNAPSHOT_EVERY + 3)
    await postgres._fetch("update snapshots set form = 'other', state = 'unfit' returning 1")
    found = await postgres.load(Bell, bell)
    assert found is not None
    assert found.snapshot == 0
    assert held(found) == await whole(postgres, bell)
    await rung(postgres, bell, 1)
    assert await versions(postgres) == [SNAPSHOT_EVERY + 4], "this code's takes its place"


@pytest.mark.servers
async def test_an_older_snapshot_takes_no_newer_one_s_place(postgres: PostgresStore) -> None:
    bell = uuid4()
    await rung(postgres, bell, SNAPSHOT_EVERY)
    facts = await postgres.read_stream(Bell.stream_of(bell))
    await rung(postgres, bell, SNAPSHOT_EVERY)
    await postgres.keep([replayed(Bell, bell, facts)])
    assert await versions(postgres) == [2 * SNAPSHOT_EVERY]


@pytest.mark.servers
async def test_a_command_that_is_committed_stands_though_its_snapshot_is_missed(
    postgres: PostgresStore,
) -> None:
    fetch, bell = postgres._fetch, uuid4()

    async def away(query: Any, *about: Any) -> Any:
        if b"into snapshots" in query:
            raise psycopg.OperationalError
        return await fetch(query, *about)

    postgres._fetch = away
    await rung(postgres, bell, SNAPSHOT_EVERY)
    postgres._fetch = fetch
    assert await versions(postgres) == []
    assert (await whole(postgres, bell))["rung"] == SNAPSHOT_EVERY


def batch_of(connection: Connection, store: PostgresStore, executor: Executor | None = None) -> Batch:
    executor = executor or Executor(store, handlers, CLOCK)
    parts = {"service": SERVICE, "store": store, "clock": CLOCK, "executor": executor, "moved": Signal()}
    ground: Any = SimpleNamespace(**parts)
    return Batch(connection, ground)


async def decided(connection: Connection, store: PostgresStore, bell: UUID, times: int) -> None:
    batch = batch_of(connection, store)
    for _ in range(times):
        await batch.decide(Ring(bell=bell), cause())
    await batch.finish()


@pytest.mark.servers
async def test_what_a_batch_of_reactions_decides_is_snapshotted_with_it_or_not_at_all(
    postgres: PostgresStore, database: str
) -> None:
    kept, lost = uuid4(), uuid4()
    connect = await psycopg.AsyncConnection.connect(database, autocommit=True)
    async with connect as plain:
        connection: Any = plain
        connection.row_factory = psycopg.rows.dict_row
        async with connection.transaction(), connection.pipeline():
            await decided(connection, postgres, kept, SNAPSHOT_EVERY + 2)
        async with connection.transaction():
            await decided(connection, postgres, lost, SNAPSHOT_EVERY + 2)
            raise psycopg.Rollback
        assert await versions(postgres) == [SNAPSHOT_EVERY + 2]
        async with connection.transaction():
            batch = batch_of(connection, postgres)
            await batch.decide(Ring(bell=kept), cause())
            batch._aggregates.clear()
            found = await batch.load(Bell, kept)
    assert found is not None
    assert (found.snapshot, found.rung) == (SNAPSHOT_EVERY + 2, SNAPSHOT_EVERY + 3)


def test_a_state_that_is_none_is_told() -> None:
    bell = Bell.start(uuid4(), ReferralAccepted(), NOW)
    state = take(bell)[3]
    with pytest.raises(ValidationError):
        restored(Bell, bell.id, 1, state.replace(b'"rung":1', b'"rung":"often"'))


def aggregates() -> list[type[Aggregate]]:
    """Every aggregate of every service."""
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".domain." in module.name:
            importlib.import_module(module.name)
    return [cls for cls in Aggregate.__subclasses__() if cls.__module__.startswith("services.")]


def test_no_state_holds_an_event_of_which_there_are_several_kinds() -> None:
    """A snapshot would give back the kind that it is declared as, not the one that it was."""

    def parts(hint: Any) -> list[Any]:
        return [hint, *(part for argument in get_args(hint) for part in parts(argument))]

    found = aggregates()
    assert len(found) > 25
    for cls in found:
        for name, hint in get_type_hints(cls).items():
            for part in parts(hint):
                several = isinstance(part, type) and issubclass(part, Event) and not part.service
                assert not several, f"{cls.__name__}.{name} holds a {part.__name__}"
