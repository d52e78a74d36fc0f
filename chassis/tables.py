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
    put: dict[str, Any]
    add: dict[str, Any]
    removed: bool = False

    def take(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "remove":
            self.removed, self.put, self.add = True, {}, {}
        elif kind == "put":
            self.put |= values
            for name in self.add.keys() & values.keys() if self.add else ():
                del self.add[name]
        else:
            for name, value in values.items():
                counted = self.put if name in self.put else self.add
                counted[name] = counted.get(name, 0) + value


class Buffer:
    """Row changes that wait to be written: changes of one row are merged, rows of one shape go together."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Table, dict[Key, _Row]]] = {}
        self._inserts: dict[str, list[Change]] = {}

    def take(self, changes: Iterable[Change]) -> None:
        """Add changes, in order."""
        for change in changes:
            table, key, kind, values = change
            if kind == "insert":
                self._inserts.setdefault(table.name, []).append(change)
                continue
            _, rows = self._rows.get(table.name) or self._rows.setdefault(table.name, (table, {}))
            rows.setdefault(key, _Row({}, {})).take(kind, values)

    async def flush(self, connection: Connection) -> set[str]:
        """Write every change; gives the names of the tables that were written."""
        tables, self._rows = self._rows, {}
        for table, rows in tables.values():
            removed = [key for key, row in rows.items() if row.removed]
            if removed:
                await connection.execute(_delete(table), arrays(removed))
            for (put, add), same in _shapes(table, rows).items():
                await connection.execute(_upsert(table, put, add), arrays(same))
        inserts, self._inserts = self._inserts, {}
        for changes in inserts.values():
            await connection.execute(_insert(changes[0].table), arrays(map(_row, changes)))
        return tables.keys() | inserts.keys()


_Names = tuple[str, ...]


def _shapes(table: Table, rows: dict[Key, _Row]) -> dict[tuple[_Names, _Names], list[Key]]:
    """Keys and values by the columns that are put and added; rows only removed are left out."""
    found: dict[tuple[_Names, _Names], list[Key]] = {}
    for key, row in rows.items():
        if row.put or row.add or not row.removed:
            put = [_stored(value, table.columns[name]) for name, value in row.put.items()]
            shape = (tuple(row.put), tuple(row.add))
            found.setdefault(shape, []).append((*key, *put, *row.add.values()))
    return found


@cache
def _delete(table: Table) -> bytes:
    form = SQL("delete from {} where ({}) in (select * from unnest({}))")
    return form.format(Identifier(table.name), _names(table.key), _arrays(table, table.key)).as_bytes()


@cache
def _upsert(table: Table, put: _Names, add: _Names) -> bytes:
    name, columns = Identifier(table.name), (*table.key, *put, *add)
    updates = [SQL("{0} = excluded.{0}").format(Identifier(column)) for column in put]
    updates += [SQL("{0} = {1}.{0} + excluded.{0}").format(Identifier(column), name) for column in add]
    action = SQL("update set {}").format(SQL(", ").join(updates)) if updates else SQL("nothing")
    form = SQL("insert into {} ({}) select * from unnest({}) on conflict ({}) do {}")
    about = _names(columns), _arrays(table, columns), _names(table.key), action
    return form.format(name, *about).as_bytes()


def _arrays(table: Table, columns: Iterable[str]) -> Composed:
    kinds = table.columns
    return SQL(", ").join(SQL("%b::{}[]").format(SQL(kinds[column])) for column in columns)


@cache
def _insert(table: Table) -> bytes:
    form, names = SQL("insert into {} ({}) select * from unnest({})"), table.columns
    return form.format(Identifier(table.name), _names(names), _arrays(table, names)).as_bytes()


def _row(change: Change) -> tuple[Any, ...]:
    """The values of an inserted row in the order of its table's columns."""
    table = change.table
    row = dict(zip(table.key, change.key, strict=True)) | change.values
    return tuple(_stored(row[name], kind) for name, kind in table.columns.items())


def _stored(value: Any, kind: str) -> Any:
    return value if kind != "jsonb" or value is None else Jsonb(plain(value))


def plain(value: Any) -> Any:
    """A value as a column gives it back: models as JSON objects."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
