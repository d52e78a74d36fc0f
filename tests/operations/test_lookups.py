"""What a log of millions is asked is looked up by index, also where plans were made while it was small."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest

from chassis.command import Answer
from chassis.database import Connection, connect, fetch, query
from chassis.effects import KNOWN, MOVE
from chassis.postgres import STREAMS, Appender, PostgresReader
from chassis.relay import OUTGOING
from chassis.store import Origin
from operations.restoring import HEADS
from tests.chassis.test_store import TABLES, commit

pytestmark = pytest.mark.servers

SMALL, GROWN, FEW = 40, 3_000, 100
"""Events while plans are made and afterwards; and how many rows a look-up may touch."""

BEGIN_EPOCH = query("begin_epoch", "operations")
GROW = b"""
insert into events
select n, 1, md5('e' || n)::uuid, 'chart-' || n / 10, n %% 10 + 1, 'x', 1, now(), now(), 'c', 'iop', null,
    null, 'a', 'r', 'TREAT', md5('c' || n)::uuid, null, md5('c' || n)::uuid, 'part2', n %% 12, 'x'
from generate_series(%s::integer, %s::integer) n
"""
REMEMBER = b"""
insert into commands select md5('c' || n)::uuid, null, n, '{}', null
from generate_series(%s::integer, %s::integer) n
"""
TOUCHED = b"""
select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as rows
from pg_stat_xact_user_tables where relname in ('events', 'commands')
"""
"""Rows of log and memory that a session read lately."""


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(TABLES)
        for table in (b"events", b"commands"):
            admin.execute(b"alter table " + table + b" set (autovacuum_enabled = off)")
    async with await connect(database) as found:
        await grow(found, 1, SMALL)
        await found.execute("analyze events, commands")
        yield found


async def grow(connection: Connection, first: int, last: int) -> None:
    for statement in (GROW, REMEMBER):
        await connection.execute(statement, (first, last))


def statements(at: int) -> dict[str, tuple[object, ...]]:
    """Statements with parameters about the end of a log of so many events."""
    id, chart = UUID(int=at), f"chart-{at // 10}"
    return {
        "streams": (STREAMS, [chart], ["f"]),
        "effect_known": (KNOWN, "mailer", id, "mailer", True, "mailer", "k", id, chart, at % 10 + 1),
        "move_effects": (MOVE, [at % 12], [id], [chart], [at % 10 + 1], [1], 1),
        "outgoing": (OUTGOING, at - 1, "t", 1, 10),
        "read": (query("read"), at - 1, 10),
        "head": ("select coalesce(max(position), 0) as head from events",),
        "begin_epoch": (BEGIN_EPOCH, 0, "urn:caretrail:intake:main"),
    }


async def touched(connection: Connection, *statement: object) -> int:
    """Rows that a statement reads."""
    async with reading(connection) as rows:
        await fetch(connection, *statement)
    return sum(rows)


@asynccontextmanager
async def reading(connection: Connection) -> AsyncIterator[list[int]]:
    """A transaction; afterwards, how many rows were read in it."""
    rows = list[int]()
    async with connection.transaction():
        [before] = await fetch(connection, TOUCHED)
        yield rows
        [after] = await fetch(connection, TOUCHED)
        rows.append(after["rows"] - before["rows"])


async def test_no_statement_reads_a_grown_log_from_end_to_end(connection: Connection) -> None:
    for _ in range(12):  # so often that PostgreSQL would keep a plan
        for statement in statements(SMALL).values():
            await fetch(connection, *statement)
    await grow(connection, SMALL + 1, GROWN)
    asked = statements(GROWN) | {"heads": (HEADS,)}  # those once, by a connection of its own
    found = {name: await touched(connection, *about) for name, about in asked.items()}
    assert {name: rows for name, rows in found.items() if rows > FEW} == {}


async def test_a_repeated_command_is_looked_up_in_a_grown_memory(connection: Connection) -> None:
    appender = Appender(Origin("intake"), 1)
    repeated = appender.pack(commit(id=uuid4(), digest=b"x"))
    [first] = await appender.append(connection, [repeated])
    for _ in range(12):
        await appender.append(connection, [repeated])
    await connection.execute(REMEMBER, (SMALL + 1, GROWN))
    async with reading(connection) as rows:
        [again] = await appender.append(connection, [repeated])
    assert isinstance(first, Answer)
    assert again == replace(first, repeated=True)
    assert sum(rows) <= FEW


async def test_the_first_event_of_an_epoch_names_none_before_it(connection: Connection) -> None:
    """However the log is cut into pages, by the feed's statement and by the relay's."""
    await connection.execute(
        "update events set epoch = 1 + (position > 17)::integer + (position > 30)::integer"
    )
    rows = await fetch(connection, "select position, partition, epoch from events order by position")
    last: dict[tuple[int, int], int] = {}
    wanted: dict[int, int | None] = {}
    for row in rows:
        place = row["partition"], row["epoch"]
        wanted[row["position"]] = last.get(place)
        last[place] = row["position"]
    reader = PostgresReader(lambda *about: fetch(connection, *about), Origin("intake"))
    for size in (1, 5, SMALL):
        for after in range(SMALL):
            page = await reader.read(after, size)
            sent = await fetch(connection, OUTGOING, after, "t", 1, size)
            read = {record.envelope.position: record.prev for record in page}
            assert read == {row["position"]: row["prev"] for row in sent}
            assert read == {at: wanted[at] for at in range(after + 1, min(after + size, SMALL) + 1)}


async def test_heads_and_the_epoch_to_go_on_in_are_those_of_the_newest_events(connection: Connection) -> None:
    await connection.execute("delete from events where partition = 7")
    await connection.execute("update events set epoch = 2 where position > 30")
    sorted_out = "select distinct on (partition) partition, epoch, position from events order by 1, 3 desc"
    assert await fetch(connection, HEADS) == await fetch(connection, sorted_out)
    source = "urn:caretrail:intake:main"
    await connection.execute("insert into origin values (%s, 1)", (source,))
    assert [await fetch(connection, BEGIN_EPOCH, lost, source) for lost in (0, 1)] == [
        [{"epoch": 2}],
        [{"epoch": 3}],
    ]
    await connection.execute("truncate events")
    assert await fetch(connection, BEGIN_EPOCH, 0, source) == [{"epoch": 3}]
