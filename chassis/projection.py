"""Projections: pure folds of events into row changes of tables that may be dropped at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeVar

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a projection: key and value columns with their PostgreSQL types.

    A table equals itself alone: its statements are kept by it.
    Value columns may be null, but for those that ``add`` counts: name them in ``counters``.
    """

    name: str
    key: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> dict[str, str]:
        """Every column with its type."""
        return {**self.key, **self.values, **self.counters}

    def put(self, **row: Any) -> Change:
        """Set these columns of the row with this key, made where it is missing."""
        return self._change("put", row)

    def add(self, **row: Any) -> Change:
        """Add to these counters of the row with this key, made where it is missing."""
        return self._change("add", row)

    def insert(self, **row: Any) -> Change:
        """A row that is there for good; one with its key already is a bug."""
        return self._change("insert", row)

    def remove(self, **key: Any) -> Change:
        """Delete the row with this key."""
        return self._change("remove", key)

    def _change(self, kind: str, row: dict[str, Any]) -> Change:
        if not row.keys() <= self.columns.keys():
            raise ValueError(f"table {self.name} has no column {min(row.keys() - self.columns.keys())}")
        key = tuple([row.pop(name) for name in self.key])
        return Change(self, key, kind, row)


class Change(NamedTuple):
    """One change of one row, as data: the engine merges and writes many at once."""

    table: Table
    key: tuple[Any, ...]
    kind: str
    values: dict[str, Any]


Fold = Callable[[Any, Any, Envelope], Iterable[Change]]
F = TypeVar("F", bound=Callable[..., Iterable[Change]])


def on(*events: type[Event]) -> Callable[[F], F]:
    """Mark a method as the fold of these events: ``def admitted(self, event, about)``."""

    def mark(fold: F) -> F:
        fold.__folds__ = events  # type: ignore[attr-defined]
        return fold

    return mark


class Projection:
    """A read model: the tables it fills, its version, and one fold for each event type.

    A higher version is folded again from the beginning, then swapped in. A fold commutes across keys.
    """

    version: ClassVar[int] = 1
    tables: ClassVar[tuple[Table, ...]] = ()
    folds: ClassVar[dict[type[Event], Fold]] = {}

    def __init_subclass__(cls) -> None:
        cls.folds = {event: fold for fold in vars(cls).values() for event in getattr(fold, "__folds__", ())}

    @classmethod
    def name(cls) -> str:
        """The projection's name."""
        return cls.__name__

    def fold(self, event: Event, about: Envelope) -> Iterable[Change]:
        """The row changes of one event."""
        return self.folds[type(event)](self, event, about)


class Archive:
    """Keeps every record of its topics as it came, unknown types too; append-only, never dropped."""

    table: ClassVar[Table]
    services: ClassVar[tuple[str, ...]] = ()

    def keep(self, record: Record) -> Iterable[Change]:
        """The rows to insert for one record."""
        raise NotImplementedError
