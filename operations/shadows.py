"""Shadows: tables of a projection in a schema of their own; made, compared and swapped in by SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg.sql import SQL, Composable, Identifier

from chassis.database import Connection, Row, arrays, fetch
from chassis.projection import Projection, Table
from chassis.tables import columns

LIVE, SHADOW, PROOF = "public", "shadow", "proof"
"""The schemas of the tables that serve, of those that are folded to replace them, and of a second fold."""

DIFFERENCES_MAX = 20
"""Rows that differ, of each table, that are looked into."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What a table holds: its rows, and the sum of two 64-bit hashes of each, in any order."""

    rows: int
    checksum: str


async def make(connection: Connection, projection: Projection, target: str) -> None:
    """Empty tables in a schema, as declared; like those that serve where these are as declared, too.

    So only a swap that must changes a table's columns or their order under a statement prepared for it.
    """
    await drop(connection, projection, target)
    for table in projection.tables:
        if await _alike(connection, table):
            made = SQL("create table {} (like {} including defaults including constraints)").format(
                _at(target, table), _at(LIVE, table)
            )
        else:
            made = SQL("create table {} ({})").format(_at(target, table), columns(table))
        await connection.execute(made)
        key = SQL(", ").join(map(Identifier, table.key))
        await connection.execute(SQL("alter table {} add primary key ({})").format(_at(target, table), key))


async def index(connection: Connection, projection: Projection, target: str) -> None:
    """The declared indexes, made once the rows are there, and fresh statistics."""
    for table in projection.tables:
        (found,) = await fetch(connection, INDEXES, target, table.name)
        async with connection.transaction():
            for names in () if found["made"] else table.indexes:
                await connection.execute(
                    SQL("create index on {} ({})").format(_at(target, table), SQL(names))
                )
        await connection.execute(SQL("analyze {}").format(_at(target, table)))


async def drop(connection: Connection, projection: Projection, target: str) -> None:
    """Remove a schema's tables of a projection."""
    for table in projection.tables:
        await connection.execute(SQL("drop table if exists {}").format(_at(target, table)))


async def there(connection: Connection, projection: Projection, target: str) -> bool:
    """Whether all tables of a projection are in a schema."""
    return all([await exists(connection, target, table) for table in projection.tables])


async def exists(connection: Connection, target: str, table: Table) -> bool:
    """Whether a schema holds a table."""
    (row,) = await fetch(
        connection, "select to_regclass(%s) is not null as there", f'{target}."{table.name}"'
    )
    return bool(row["there"])


async def serves(connection: Connection, table: Table) -> bool:
    """Whether a table that is there can serve, with the columns that it lacks: by key, types, and nulls."""
    rows = await _columns(connection, table)
    key = {row["name"] for row in rows if row["in_key"]}
    return key == table.key.keys() and all(_agrees(table, row) for row in rows)


async def lacking(connection: Connection, table: Table) -> list[str]:
    """The declared columns that a table that serves has not."""
    there = {row["name"] for row in await _columns(connection, table) if row["type"]}
    return [name for name in table.columns if name not in there]


async def _alike(connection: Connection, table: Table) -> bool:
    """Whether a table that serves has the declared columns, and takes rows that have no others."""
    return all(
        _agrees(table, row) and (row["type"] if row["declared"] else row["given"] or not row["filled"])
        for row in await _columns(connection, table)
    )


def _agrees(table: Table, row: Row) -> bool:
    """Whether a column is as declared, where it is both declared and there."""
    as_declared = row["type"] == row["declared"] and row["filled"] != (row["name"] in table.values)
    return as_declared or None in (row["type"], row["declared"])


async def _columns(connection: Connection, table: Table) -> list[Row]:
    kinds = [SQL("null::{}").format(SQL(kind)) for kind in table.columns.values()]
    described = (await connection.execute(SQL("select {}").format(SQL(", ").join(kinds)))).pgresult
    assert described
    types = [(described.ftype(number), described.fmod(number)) for number in range(len(kinds))]
    return await fetch(connection, COLUMNS, list(table.columns), *arrays(types), f'{LIVE}."{table.name}"')


async def swap(connection: Connection, projection: Projection) -> None:
    """Put the shadows in the place of the tables that serve, in the connection's transaction."""
    for table in projection.tables:
        await connection.execute(SQL("drop table if exists {}").format(_at(LIVE, table)))
        moved = SQL("alter table {} set schema {}").format(_at(SHADOW, table), Identifier(LIVE))
        await connection.execute(moved)


async def sums(connection: Connection, projection: Projection, target: str) -> dict[str, Sum]:
    """Rows and checksum of each table in a schema, as the connection's transaction sees them."""
    found = {}
    for table in projection.tables:
        query = SQL(SUM).format(row=_row(table), table=_at(target, table))
        (row,) = await fetch(connection, query)
        found[table.name] = Sum(row["rows"], f"{int(row['low']) % 2**64:016x}{int(row['high']) % 2**64:016x}")
    return found


async def differences(connection: Connection, table: Table, left: str, right: str) -> list[Row]:
    """The keys of rows that differ between two schemas."""
    key = SQL(", ").join(map(Identifier, table.key))
    query = SQL(DIFFERENCES).format(
        left=_at(left, table), right=_at(right, table), key=key, l=_row(table, "l"), r=_row(table, "r"),
        first=Identifier(next(iter(table.key))),
    )  # fmt: skip
    return await fetch(connection, query, DIFFERENCES_MAX)


async def doubled(connection: Connection, table: Table, target: str) -> list[Row]:
    """The keys that several rows have, and how many ``times``: only where the primary key is gone."""
    key = SQL(", ").join(map(Identifier, table.key))
    query = SQL(DOUBLED).format(key=key, table=_at(target, table))
    return await fetch(connection, query, DIFFERENCES_MAX)


async def row_of(
    connection: Connection, table: Table, target: str, key: Iterable[Any]
) -> dict[str, Any] | None:
    """The declared columns of a row."""
    where = SQL(" and ").join(SQL("{} = %s").format(Identifier(name)) for name in table.key)
    names = SQL(", ").join(map(Identifier, table.columns))
    query = SQL("select {} from {} where {}").format(names, _at(target, table), where)
    rows = await fetch(connection, query, *key)
    return rows[0] if rows else None


def _at(target: str, table: Table) -> Identifier:
    return Identifier(target, table.name)


def _row(table: Table, alias: str = "t") -> Composable:
    names = SQL(", ").join(Identifier(alias, name) for name in table.columns)
    return SQL("row({})::text").format(names)


INDEXES = """
select count(*) > 1 as made from pg_indexes where schemaname = %s and tablename = %s
"""

COLUMNS = b"""
with declared as (
    select name, format_type(type, modifier) as declared
    from unnest(%s::text[], %s::oid[], %s::integer[]) as d (name, type, modifier)
), found as (
    select a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type,
        a.attnotnull as filled, a.atthasdef as given, coalesce(a.attnum = any(i.indkey), false) as in_key
    from pg_attribute a
    left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
)
select * from declared full join found using (name)
"""

SUM = """
select count(*) as rows,
    coalesce(sum(hashtextextended({row}, 0)::numeric), 0) as low,
    coalesce(sum(hashtextextended({row}, 1)::numeric), 0) as high
from {table} t
"""

DOUBLED = """
select {key}, count(*) as times from {table} group by {key} having count(*) > 1 order by {key} limit %s
"""

DIFFERENCES = """
select {key} from {left} l full join {right} r using ({key})
where l.{first} is null or r.{first} is null or {l} is distinct from {r}
order by {key}
limit %s
"""
