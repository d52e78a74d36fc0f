"""Projections' tables in PostgreSQL: made from their declarations, filled by merged row changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from chassis.database import Connection, arrays
from chassis.projection import Change, Table

Key = tuple[Any, ...]
Names = tuple[str, ...]


def columns(table: Table) -> Composed:
    """The declarations of a table's columns."""
    parts = [(table.key, "not null"), (table.values, ""), (table.counters, "not null default 0")]
    return SQL(", ").join(
        SQL("{} {} {}").format(Identifier(name), SQL(kind), SQL(rule))
        for part, rule in parts
        for name, kind in part.items()
    )


def definition(table: Table) -> Composed:
    """The statements that make a table and its indexes."""
    made = SQL("create table {} ({}, primary key ({}));").format(
        Identifier(table.name), columns(table), _names(table.key)
    )
    index = SQL("create index on {} ({});")
    return made + Composed([index.format(Identifier(table.name), SQL(names)) for names in table.indexes])


def _names(names: Iterable[str]) -> Composed:
    return SQL(", ").join(map(Identifier, names))


@dataclass(slots=True)
class _Row:
    """What the changes of a row come to; ``put`` is None where it is gone, and values stay as they are."""

    put: dict[str, Any] | None
    add: dict[str, Any]
    removed: bool = False

    def take(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "remove":
            self.removed, self.put, self.add = True, None, {}
        elif kind == "put":
            self.put = {**self.put, **values} if self.put else values
            self.add = {name: added for name, added in self.add.items() if name not in values}
        else:
            known = self.put or {}
            put = {name: known[name] + value for name, value in values.items() if name in known}
            add = {name: self.add.get(name, 0) + value for name, value in values.items() if name not in put}
            self.put, self.add = {**known, **put}, {**self.add, **add}


class Buffer:
    """Row changes that wait to be written: changes of one row are merged, rows of one shape go together."""

    def __init__(self) -> None:
        self._rows, self._inserts = dict[Table, dict[Key, _Row]](), dict[Table, list[Change]]()

    def take(self, changes: Iterable[Change]) -> None:
        """Add changes, in order."""
        for change in changes:
            table, key, kind, values = change
            if kind == "insert":
                self._inserts.setdefault(table, []).append(change)
                continue
            rows = self._rows.setdefault(table, {})
            row = rows.get(key) or rows.setdefault(key, _Row({}, {}))
            row.take(kind, values)

    async def flush(self, connection: Connection) -> set[str]:
        """Write every change; gives the names of the tables that were written."""
        tables, inserts, self._rows, self._inserts = self._rows, self._inserts, {}, {}
        for table, rows in tables.items():
            if removed := [key for key, row in rows.items() if row.removed]:
                await connection.execute(_delete(table), arrays(removed))
            for (put, add), same in _shapes(rows).items():
                names = (*table.key, *put, *add)
                await connection.execute(_upsert(table, put, add), _stored(table, names, same))
        for table, changes in inserts.items():
            rest = [*table.values, *table.counters]
            whole = [(*change.key, *[change.values[name] for name in rest]) for change in changes]
            await connection.execute(_insert(table), _stored(table, table.columns, whole))
        return {table.name for table in (*tables, *inserts)}


def _shapes(rows: dict[Key, _Row]) -> dict[tuple[Names, Names], list[tuple[Any, ...]]]:
    """Keys and values by the columns that are put and added; rows that are gone are left out."""
    found: dict[tuple[Names, Names], list[tuple[Any, ...]]] = {}
    for key, row in rows.items():
        if row.put is not None:
            values = (*key, *row.put.values(), *row.add.values())
            found.setdefault((tuple(row.put), tuple(row.add)), []).append(values)
    return found


@cache
def _delete(table: Table) -> bytes:
    form = SQL("delete from {} where ({}) in (select * from unnest({}))")
    return form.format(Identifier(table.name), _names(table.key), _arrays(table, table.key)).as_bytes()


@cache
def _upsert(table: Table, put: Names, add: Names) -> bytes:
    name, columns = Identifier(table.name), (*table.key, *put, *add)
    updates = [SQL("{0} = excluded.{0}").format(Identifier(column)) for column in put]
    updates += [SQL("{0} = {1}.{0} + excluded.{0}").format(Identifier(column), name) for column in add]
    action = SQL("update set {}").format(SQL(", ").join(updates)) if updates else SQL("nothing")
    form = SQL("insert into {} ({}) select * from unnest({}) on conflict ({}) do {}")
    about = _names(columns), _arrays(table, columns), _names(table.key), action
    return form.format(name, *about).as_bytes()


def _arrays(table: Table, columns: Iterable[str]) -> Composed:
    return SQL(", ").join(SQL("%b::{}[]").format(SQL(table.columns[name])) for name in columns)


@cache
def _insert(table: Table) -> bytes:
    form, names = SQL("insert into {} ({}) select * from unnest({})"), table.columns
    return form.format(Identifier(table.name), _names(names), _arrays(table, names)).as_bytes()


def _stored(table: Table, names: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows of these columns as arrays; what is to be JSON is made so."""
    found, kinds = arrays(rows), table.columns
    for number, name in enumerate(names):
        if kinds[name] == "jsonb":
            found[number] = [value if value is None else Jsonb(plain(value)) for value in found[number]]
    return found


def plain(value: Any) -> Any:
    """A value as a column gives it back: models as JSON objects."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
