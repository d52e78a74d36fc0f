"""The store: what every adapter of it does, in memory or in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Sensitivity, partition_of
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.command import Answer, Commit, Desk, Fact
from chassis.ids import derived

BODY_BYTES_MAX = 262_144
"""Size of an event's body at most: a quarter of the broker's default limit of 1 MiB."""


class EventTooLarge(Exception):
    """An event's body is larger than the limit."""


class Store(Desk, Protocol):
    """An append-only log of events in streams, with the memory of the commands that wrote them."""

    async def append(self, commit: Commit) -> Answer:
        """Write all of a commit durably, or nothing.

        A known command id gives its first answer (``repeated``). Raises Conflict when a stream has
        another version than expected, KeyReused when a known command comes with another digest,
        Reserved when a key has another owner, EventTooLarge.
        """
        ...

    async def keep(self, aggregates: Iterable[Aggregate]) -> None:
        """Take snapshots of aggregates as they were committed, of those that are due."""
        ...

    async def read_stream(self, stream: str) -> list[tuple[Event, datetime]]:
        """The events of a stream in order, each with when it was true."""
        ...

    async def read(self, after: int, limit: int) -> list[Record]:
        """Events of all streams in order of position, from the one after ``after``."""
        ...

    async def head(self) -> int:
        """The position of the newest event; 0 where there is none."""
        ...


@dataclass(frozen=True)
class Origin:
    """What is the same in every envelope of a store: service and cell, organisation, program, sensitivity."""

    service: str
    cell: str = "main"
    organisation: str = "caretrail"
    program: str = "iop"
    sensitivity: Sensitivity = Sensitivity.PART2

    @cached_property
    def source(self) -> str:
        """The service and its cell, as envelopes name them."""
        return f"urn:caretrail:{self.service}:{self.cell}"


def event_id(commit: Commit, index: int) -> bytes:
    """The id of the event at ``index`` of a commit, a UUID's bytes: it derives from the command's."""
    return derived(commit.cause.command_id, index)


def partition_for(fact: Fact) -> int:
    """The partition of a fact: by its patient, else by its stream."""
    return partition_of(str(fact.patient) if fact.patient else fact.stream)


def body_of(fact: Fact) -> bytes:
    """The bytes of a fact's event. Raises EventTooLarge."""
    body = fact.event.to_bytes()
    if len(body) > BODY_BYTES_MAX:
        raise EventTooLarge(f"{fact.event.type()}: {len(body)} bytes, at most {BODY_BYTES_MAX}")
    return body
