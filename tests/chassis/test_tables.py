"""Row changes of one batch are merged before they are written: the rows are those of changes one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.database import Connection, connect, fetch
from chassis.projection import Change, Table
from chassis.tables import Buffer, definition

pytestmark = pytest.mark.servers

SEATS = Table(
    "seats",
    key={"track": "text", "week": "integer"},
    values={"room": "text", "held_by": "jsonb"},
    counters={"taken": "bigint", "free": "integer"},
)

keys = st.fixed_dictionaries({"track": st.sampled_from("ab"), "week": st.sampled_from([1, 2])})
counts = st.integers(-3, 3)
put = st.fixed_dictionaries(
    {},
    optional={
        "room": st.none() | st.sampled_from(["north", "south"]),
        "held_by": st.none() | st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "taken": counts,
        "free": counts,
    },
)
added = st.fixed_dictionaries({}, optional={"taken": counts, "free": counts})


def change(make: Callable[..., Change]) -> Callable[[tuple[dict[str, Any], dict[str, Any]]], Change]:
    return lambda told: make(**told[0], **told[1])


changes = st.one_of(
    st.tuples(keys, put).map(change(SEATS.put)),
    st.tuples(keys, added).map(change(SEATS.add)),
    st.tuples(keys, st.just({})).map(change(SEATS.remove)),
)


async def rows(connection: Connection, batches: list[list[Change]]) -> list[dict[str, Any]]:
    """The table after each batch was written at once."""
    await connection.execute("truncate seats")
    for batch in batches:
        buffer = Buffer()
        buffer.take(batch)
        assert await buffer.flush(connection) <= {SEATS.name}
        assert await buffer.flush(connection) == set()
    return await fetch(connection, "select * from seats order by track, week")


@pytest.fixture
def both(database: str) -> Callable[[list[list[Change]]], tuple[list[Any], list[Any]]]:
    """The rows of changes in batches, and one by one."""

    async def written(batches: list[list[Change]]) -> tuple[list[Any], list[Any]]:
        connection = await connect(database)
        try:
            await connection.execute("drop table if exists seats")
            await connection.execute(definition(SEATS))
            merged = await rows(connection, batches)
            return merged, await rows(connection, [[one] for batch in batches for one in batch])
        finally:
            await connection.close()

    return lambda batches: asyncio.run(written(batches))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(changes, max_size=8), max_size=3))
def test_however_changes_are_batched_the_rows_are_the_same(both: Any, batches: list[list[Change]]) -> None:
    merged, one_by_one = both(batches)
    assert merged == one_by_one


def test_rows_are_inserted_with_all_their_columns(both: Any) -> None:
    first = {"track": "a", "week": 1, "room": "north", "held_by": ["x", "y"], "taken": 2, "free": 1}
    other = {"track": "a", "week": 2, "room": None, "held_by": None, "taken": 0, "free": 0}
    mixed = dict(reversed(other.items()))
    assert both([[SEATS.insert(**first), SEATS.insert(**mixed)]]) == ([first, other], [first, other])


def test_a_change_that_was_merged_is_as_it_was(both: Any) -> None:
    first, more = SEATS.add(track="a", week=1, taken=1), SEATS.add(track="a", week=1, taken=2)
    last = SEATS.put(track="a", week=1, room="north")
    for _ in range(2):
        merged, _ = both([[first, more, last]])
        assert merged == [{"track": "a", "week": 1, "room": "north", "held_by": None, "taken": 3, "free": 0}]
    assert (first.values, more.values, last.values) == ({"taken": 1}, {"taken": 2}, {"room": "north"})
