"""Packing: values as PostgreSQL takes them in binary arrays, each packed once, joined where they are sent.

Each function packs a value, or null, and is named as its type is in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from struct import pack
from typing import Any
from uuid import UUID

from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format
from pydantic_core import to_json

NULL = b"\xff\xff\xff\xff"
ERA, MICROSECOND = datetime.fromisoformat("2000-01-01T00:00:00Z"), timedelta(microseconds=1)
"""From when PostgreSQL counts time, and in what."""

Kind = Callable[[Any], bytes]


def bytea(value: bytes | None) -> bytes:
    """Bytes."""
    return NULL if value is None else pack("!i", len(value)) + value


@lru_cache(maxsize=4_096)
def text(value: str | None) -> bytes:
    """A text; most are the same in many rows."""
    return NULL if value is None else bytea(value.encode())


def uuid(value: UUID | None) -> bytes:
    """A UUID."""
    return NULL if value is None else b"\0\0\0\x10" + value.bytes


@lru_cache(maxsize=4_096)
def integer(value: int) -> bytes:
    """A whole number of 32 bits."""
    return pack("!ii", 4, value)


@lru_cache(maxsize=256)
def timestamptz(value: datetime) -> bytes:
    """A time with its offset from UTC."""
    return pack("!iq", 8, (value - ERA) // MICROSECOND)


def jsonb(value: Any) -> bytes:
    """A JSON object."""
    return NULL if value is None else bytea(b"\x01" + to_json(value))


class Array(bytes):
    """An array in binary form; what it is an array of, the statement knows."""


class ArrayDumper(Dumper):
    """Hands arrays to psycopg as they are."""

    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        """The bytes."""
        return obj


adapters.register_dumper(Array, ArrayDumper)


def arrays(kinds: Sequence[Kind], rows: Sequence[Sequence[bytes]]) -> list[Array]:
    """Rows of packed values turned into the arrays that a statement unnests."""
    heads = _heads(kinds, len(rows))
    if not rows:
        return [*map(Array, heads)]
    return [Array(head + b"".join(items)) for head, items in zip(heads, zip(*rows, strict=True), strict=True)]


@lru_cache(maxsize=4_096)
def _heads(kinds: Sequence[Kind], count: int) -> list[bytes]:
    """Before each array: its dimensions, whether it holds nulls, of what it is, how many, from which on."""
    types = [adapters.types[kind.__name__].oid for kind in kinds]
    return [pack("!iiIii", 1, 0, type, count, 1) if count else pack("!iiI", 0, 0, type) for type in types]
