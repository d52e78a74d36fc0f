"""One behaviour suite for every adapter of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from caretrail_contracts.envelope import Actor
from caretrail_contracts.intake import DeclineReason, ReferralDeclined

import chassis
from chassis.command import Cause, Commit, Fact, Reservation
from chassis.database import Database
from chassis.group import PostgresStore
from chassis.postgres import Appender
from chassis.refusal import Conflict, KeyReused, Reserved
from chassis.store import Origin, Store
from tests.memory import MemoryStore

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TABLES = Path(chassis.__file__).parent / "migrations" / "0001_store.sql"


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    origin = Origin("intake")
    if request.param == "memory":
        yield MemoryStore(origin)
        return
    url = request.getfixturevalue("database")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES.read_bytes())
    async with Database(url) as database, PostgresStore(database, Appender(origin, 1)) as found:
        yield found


def commit(
    stream: str = "",
    after: int = 0,
    count: int = 1,
    id: UUID | None = None,
    digest: bytes | None = None,
    reserve: tuple[Reservation, ...] = (),
) -> Commit:
    """A commit of some events to one stream."""
    id, stream = id or uuid4(), stream or f"referral-{uuid4()}"
    event = ReferralDeclined(reason=DeclineReason.OUT_OF_AREA)
    cause = Cause(command_id=id, actor=Actor("a", "b"), purpose="TREAT", correlation_id=id, digest=digest)
    facts = tuple(Fact(stream, after + step, event, NOW, None, None) for step in range(1, count + 1))
    return Commit(cause, NOW, facts, {stream: after}, reserve)


async def test_events_come_back_in_order_with_positions_without_gaps(store: Store) -> None:
    first, second = commit(count=2), commit()
    await store.append(first)
    answer = await store.append(second)
    records = await store.read(0, 10)
    assert [record.envelope.position for record in records] == [1, 2, 3]
    assert answer.position == await store.head() == 3
    assert [record.envelope.stream_version for record in records] == [1, 2, 1]
    assert await store.read(2, 10) == records[2:]


async def test_each_record_names_the_one_before_it_in_its_partition(store: Store) -> None:
    for _ in range(30):
        await store.append(commit())
    last: dict[int, int] = {}
    for record in await store.read(0, 100):
        about = record.envelope
        assert record.prev == last.get(about.partition)
        last[about.partition] = about.position


async def test_the_first_prev_of_a_later_page_is_that_of_the_whole_log(store: Store) -> None:
    for _ in range(30):
        await store.append(commit())
    whole = await store.read(0, 100)
    assert await store.read(20, 5) == whole[20:25]


async def test_a_command_sent_again_gets_its_first_answer_and_writes_nothing(store: Store) -> None:
    once = commit(digest=b"x")
    answer = await store.append(once)
    again = await store.append(commit(id=once.cause.command_id, digest=b"x"))
    assert again.repeated
    assert (again.position, again.streams) == (answer.position, answer.streams)
    assert await store.head() == 1


async def test_a_command_id_with_another_body_is_refused(store: Store) -> None:
    once = commit(digest=b"x")
    await store.append(once)
    with pytest.raises(KeyReused):
        await store.append(commit(id=once.cause.command_id, digest=b"y"))


async def test_a_stream_that_moved_on_is_a_conflict_and_nothing_is_written(store: Store) -> None:
    await store.append(commit("referral-1"))
    with pytest.raises(Conflict):
        await store.append(commit("referral-1"))
    assert await store.head() == 1
    await store.append(commit("referral-1", after=1))


async def test_a_commit_without_events_is_a_conflict_where_a_stream_that_it_went_by_moved_on(
    store: Store,
) -> None:
    await store.append(commit("referral-1"))
    went_by = commit("referral-1", count=0)
    with pytest.raises(Conflict):
        await store.append(went_by)
    answer = await store.append(replace(went_by, expected={"referral-1": 1}))
    assert answer.streams == {}


async def test_commits_that_go_by_one_stream_at_once_all_hold(store: Store) -> None:
    await store.append(commit("referral-1"))
    went_by = [replace(commit(), expected={"referral-1": 1}) for _ in range(20)]
    answers = await asyncio.gather(*(store.append(each) for each in went_by))
    assert {answer.position for answer in answers} == set(range(2, 22))


async def test_concurrent_writers_of_one_stream_win_once_each_version(store: Store) -> None:
    results = await asyncio.gather(
        *(store.append(commit("hot-1")) for _ in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_a_reserved_key_has_one_owner(store: Store) -> None:
    mine, other = uuid4(), uuid4()
    await store.append(commit(reserve=(Reservation("person", "k", mine),)))
    await store.append(commit(reserve=(Reservation("person", "k", mine),)))
    with pytest.raises(Reserved):
        await store.append(commit(reserve=(Reservation("person", "k", other),)))
    assert await store.owner("person", "k") == mine
    assert await store.head() == 2


async def test_one_bad_commit_of_a_batch_does_not_take_the_others_with_it(store: Store) -> None:
    await store.append(commit("taken-1"))
    good = [commit() for _ in range(10)]
    results = await asyncio.gather(
        *(store.append(one) for one in [*good[:5], commit("taken-1"), *good[5:]]), return_exceptions=True
    )
    assert [isinstance(result, Exception) for result in results] == [False] * 5 + [True] + [False] * 5


async def test_an_event_id_derives_from_its_command(store: Store) -> None:
    once = commit(count=2)
    await store.append(once)
    first, second = await store.read(0, 10)
    assert first.envelope.id != second.envelope.id
    other = MemoryStore(Origin("intake"))
    await other.append(once)
    assert [r.envelope.id for r in await other.read(0, 10)] == [first.envelope.id, second.envelope.id]
