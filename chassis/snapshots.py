"""Snapshots: aggregates as they were at a version of their streams, so that a long stream loads fast.

Like an aggregate kept in memory, a snapshot is a guess: what is decided by it holds only at the version
that the stream has. It counts for the code alone that took it; other code reads the whole stream. What
is sealed in the events is sealed in it, and all of them may be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, create_model

from chassis.aggregate import Aggregate

A = TypeVar("A", bound=Aggregate)

SNAPSHOT_EVERY = 50
"""Events between snapshots of a stream: reading and folding so many takes some 2 ms."""

FOLDING = ("chassis", "caretrail_contracts")
"""Packages whose code takes part in each fold, beside the one in which an aggregate's class stands."""

Snapshot = tuple[str, str, int, bytes]
"""Stream, form, version, and the state as JSON."""

TIMES = {"created_on": datetime, "modified_on": datetime}
"""What the library keeps of the first and the last event."""


def is_due(aggregate: Aggregate) -> bool:
    """Whether so many events came since the newest snapshot that another pays."""
    return aggregate.version - aggregate.snapshot >= SNAPSHOT_EVERY


@cache
def form_of(cls: type[Aggregate]) -> str:
    """A digest of the code that makes the states of this class: a snapshot counts where it is the same."""
    digest = hashlib.sha256(f"{cls.__module__}.{cls.__qualname__}".encode())
    for package in (cls.__module__.rpartition(".")[0], *FOLDING):
        digest.update(_digest_of(package))
    return digest.hexdigest()


@cache
def _digest_of(package: str) -> bytes:
    digest = hashlib.sha256()
    for source in _sources(files(package)):
        digest.update(hashlib.sha256(source).digest())
    return digest.digest()


def _sources(folder: Traversable) -> Iterator[bytes]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _sources(entry)
        elif entry.name.endswith(".py"):
            yield entry.read_bytes()


@cache
def _model_of(cls: type[Aggregate]) -> type[BaseModel]:
    data: Any = cls  # a dataclass by its metaclass
    names = [*(field.name for field in fields(data)), *TIMES]
    types = get_type_hints(cls) | TIMES
    parts: dict[str, Any] = {name: (types[name], ...) for name in names}
    return create_model(
        cls.__name__, __config__=ConfigDict(extra="forbid", hide_input_in_errors=True), **parts
    )


def take(aggregate: Aggregate) -> Snapshot:
    """A snapshot of an aggregate that has nothing left to commit."""
    model = _model_of(type(aggregate))
    state = model.model_construct(**{name: getattr(aggregate, name) for name in model.model_fields})
    aggregate.snapshot = aggregate.version
    body = state.__pydantic_serializer__.to_json(state)
    return aggregate.stream, form_of(type(aggregate)), aggregate.version, body


def restored(cls: type[A], id: UUID, version: int, state: bytes) -> A:
    """The aggregate that a state was taken of. Raises pydantic's ValidationError where it is none."""
    held = dict(_model_of(cls).model_validate_json(state))
    found = cls.__new__(cls)
    found.__base_init__(id, version, held.pop("created_on"))
    found._modified_on = held.pop("modified_on")
    found.snapshot = version
    vars(found).update(held)
    return found
