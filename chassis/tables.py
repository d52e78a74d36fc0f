"""Projections' tables in PostgreSQL: made from their declarations, filled by merged row changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from chassis.database import Connection
from chassis.projection import Change, Table


def definition(table: Table) -> sql.Composed:
    """The statements that make a table and its indexes."""
    columns = [sql.SQL("{} {} not null").format(*_column(name, kind)) for name, kind in table.key.items()]
    columns += [sql.SQL("{} {}").format(*_column(name, kind)) for name, kind in table.values.items()]
    columns += [
        sql.SQL("{} {} not null default 0").format(*_column(name, kind))
        for name, kind in table.counters.items()
    ]
    columns.append(sql.SQL("primary key ({})").format(_names(table.key)))
    made = sql.SQL("create table {} ({});").format(sql.Identifier(table.name), sql.SQL(", ").join(columns))
    indexes = [
        sql.SQL("create index on {} ({});").format(sql.Identifier(table.name), sql.SQL(index))
        for index in table.indexes
    ]
    return made + sql.Composed(indexes)


def _column(name: str, kind: str) -> tuple[sql.Identifier, sql.SQL]:
    return sql.Identifier(name), sql.SQL(kind)


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


@dataclass(slots=True)
class _Row:
    removed: bool = False
    put: dict[str, Any] = field(default_factory=dict)
    add: dict[str, Any] = field(default_factory=dict)

    def take(self, change: Change) -> None:
        if change.kind == "remove":
            self.removed, self.put, self.add = True, {}, {}
        elif change.kind == "put":
            self.put |= change.values
            for name in change.values:
                self.add.pop(name, None)
        else:
            for name, value in change.values.items():
                counted = self.put if name in self.put else self.add
                counted[name] = counted.get(name, 0) + value


class Buffer:
    """Row changes that wait to be written: changes of one row are merged, rows of one shape go together."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Table, dict[tuple[Any, ...], _Row]]] = {}

    def take(self, changes: Iterable[Change]) -> None:
        """Add changes, in order."""
        for change in changes:
            rows = self._rows.setdefault(change.table.name, (change.table, {}))[1]
            rows.setdefault(change.key, _Row()).take(change)

    async def flush(self, connection: Connection) -> None:
        """Write every change."""
        tables, self._rows = self._rows, {}
        for table, rows in tables.values():
            await _delete(connection, table, [key for key, row in rows.items() if row.removed])
            for shape, keys in _shapes(rows).items():
                await _upsert(connection, table, shape, [(key, rows[key]) for key in keys])


_Shape = tuple[tuple[str, ...], tuple[str, ...]]


def _shapes(rows: dict[tuple[Any, ...], _Row]) -> dict[_Shape, list[tuple[Any, ...]]]:
    """Keys by the columns that are put and added; rows only removed have none."""
    found: dict[_Shape, list[tuple[Any, ...]]] = {}
    for key, row in rows.items():
        if not (row.removed and not row.put and not row.add):
            found.setdefault((tuple(row.put), tuple(row.add)), []).append(key)
    return found


async def _delete(connection: Connection, table: Table, keys: list[tuple[Any, ...]]) -> None:
    if not keys:
        return
    names = _names(table.key)
    statement = sql.SQL("delete from {} where ({}) in (select * from unnest({}))").format(
        sql.Identifier(table.name), names, _arrays(table, tuple(table.key))
    )
    await connection.execute(statement, [list(column) for column in zip(*keys, strict=True)])


async def _upsert(
    connection: Connection, table: Table, shape: _Shape, rows: list[tuple[tuple[Any, ...], _Row]]
) -> None:
    put, add = shape
    columns = (*table.key, *put, *add)
    values = (
        [[key[i] for key, _ in rows] for i in range(len(table.key))]
        + [[_stored(row.put[name], table.columns[name]) for _, row in rows] for name in put]
        + [[row.add[name] for _, row in rows] for name in add]
    )
    await connection.execute(_upsert_statement(table, columns, put, add), values)


def _upsert_statement(
    table: Table, columns: tuple[str, ...], put: tuple[str, ...], add: tuple[str, ...]
) -> sql.Composed:
    name = sql.Identifier(table.name)
    updates = [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in put]
    updates += [
        sql.SQL("{0} = {1}.{0} + excluded.{0}").format(sql.Identifier(column), name) for column in add
    ]
    action = sql.SQL("update set ") + sql.SQL(", ").join(updates) if updates else sql.SQL("nothing")
    return sql.SQL("insert into {} ({}) select * from unnest({}) on conflict ({}) do {}").format(
        name, _names(columns), _arrays(table, columns), _names(table.key), action
    )


def _arrays(table: Table, columns: tuple[str, ...]) -> sql.Composed:
    kinds = table.columns
    return sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(kinds[column])) for column in columns)


def _stored(value: Any, kind: str) -> Any:
    if kind != "jsonb" or value is None:
        return value
    return Jsonb(plain(value))


def plain(value: Any) -> Any:
    """A value as a column gives it back: models as JSON objects."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
