"""The versions of each event, every pair of them compared: who could no longer read whom."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from .catalogue import name_of
from .compatibility import Break, Mode, first_break
from .event import Event
from .schemas import schema_of


class NoSchema(ValueError):
    """A frozen schema that is no JSON, by its path."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an event: as it was frozen, or as today's model has it."""

    number: int
    schema: Any
    frozen: bool

    def __str__(self) -> str:
        return f"v{self.number}" + ("" if self.frozen else " today")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions of an event: the breaks between them, and whether upcasts bring the older to the newer."""

    event: str
    older: Version
    newer: Version
    breaks: tuple[Break, ...]
    upcast: bool


def versions_of(event: type[Event], folder: Path) -> list[Version]:
    """What was frozen of an event below a folder, in order, and today's schema where that is another.

    Raises NoSchema.
    """
    found = []
    for path in folder.glob(f"schemas/v*/{name_of(event)}.json"):
        number = path.parent.name.removeprefix("v")
        if number.isdecimal() and int(number) <= event.version:
            found.append((int(number), path))
    frozen = [Version(number, _schema_in(path), True) for number, path in sorted(found)]
    today = Version(event.version, schema_of(event), False)
    last = frozen[-1] if frozen else None
    known = last is not None and last.number == today.number and last.schema == today.schema
    return frozen if known else [*frozen, today]


def compared(events: Iterable[type[Event]], folder: Path) -> Iterator[Comparison]:
    """Every pair of versions of each event. Raises NoSchema.

    Upcasts bring the older version to readers of the newer one; nothing brings a newer one to old readers.
    """
    for event in events:
        for older, newer in combinations(versions_of(event, folder), 2):
            forward = first_break(older.schema, newer.schema, Mode.FORWARD)
            backward = first_break(older.schema, newer.schema, Mode.BACKWARD)
            upcast = backward is not None and _is_bridged(event, older.number, newer.number)
            breaks = [each for each in (None if upcast else backward, forward) if each is not None]
            yield Comparison(name_of(event), older, newer, tuple(breaks), upcast)


def _is_bridged(event: type[Event], older: int, newer: int) -> bool:
    return older < newer and all(step in event.upcasts for step in range(older, newer))


def _schema_in(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        raise NoSchema(str(path)) from None
