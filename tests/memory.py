"""The store in memory: for tests of rules, under the same behaviour suite as PostgreSQL's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.command import A, Answer, Commit, Row
from chassis.projection import Change
from chassis.refusal import Conflict, KeyReused, Reserved
from chassis.snapshots import Snapshot, form_of, is_due, restored, take
from chassis.store import Origin, body_of, event_id, partition_for
from chassis.tables import plain


def envelope_of(origin: Origin, commit: Commit, index: int, position: int) -> Envelope:
    """The envelope of the fact at ``index`` of a commit, as the store in PostgreSQL gives it."""
    cause, fact = commit.cause, commit.facts[index]
    return Envelope(
        id=UUID(bytes=event_id(commit, index)),
        type=fact.event.type(),
        version=fact.event.version,
        source=origin.source,
        epoch=1,
        position=position,
        partition=partition_for(fact),
        stream=fact.stream,
        stream_version=fact.stream_version,
        occurred_at=fact.occurred_at,
        recorded_at=commit.recorded_at,
        organisation=origin.organisation,
        program=origin.program,
        site=fact.site,
        patient=fact.patient,
        actor=cause.actor,
        purpose=cause.purpose,
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
        command_id=cause.command_id,
        sensitivity=origin.sensitivity,
    )


def replayed(cls: type[A], id: UUID, facts: Iterable[tuple[Event, datetime]]) -> A:
    """The aggregate after its stored events, of which there are some."""
    found = cls.resume(None, id, facts)
    assert found is not None, f"no events of {cls.stream_of(id)}"
    return found


class MemoryTables:
    """Projections' tables as dictionaries."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[tuple[Any, ...], Row]] = {}

    def apply(self, changes: Iterable[Change]) -> None:
        """Make row changes, in order."""
        for change in changes:
            self._apply(change)

    def _apply(self, change: Change) -> None:
        table, rows = change.table, self._rows.setdefault(change.table.name, {})
        if change.kind == "remove":
            rows.pop(change.key, None)
            return
        fresh = dict(zip(table.key, change.key, strict=True))
        fresh |= dict.fromkeys(table.values) | dict.fromkeys(table.counters, 0)
        row = rows.setdefault(change.key, fresh)
        for name, value in change.values.items():
            row[name] = row[name] + value if change.kind == "add" else plain(value)

    def select(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows whose columns equal the key's, by primary key."""
        rows = sorted(self._rows.get(table, {}).items(), key=lambda item: str(item[0]))
        return [dict(row) for _, row in rows if all(row[name] == value for name, value in key.items())]


class MemoryStore:
    """A log in a list."""

    def __init__(self, origin: Origin, tables: MemoryTables | None = None) -> None:
        self._origin = origin
        self._log: list[Record] = []
        self._events: list[tuple[str, Event, datetime]] = []
        self._versions: dict[str, int] = {}
        self._answers: dict[UUID, tuple[bytes | None, Answer]] = {}
        self._owners: dict[tuple[str, str], UUID] = {}
        self._last: dict[int, int] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self.tables = tables or MemoryTables()

    async def append(self, commit: Commit) -> Answer:
        """Write all of a commit, or nothing."""
        known = self._answers.get(commit.cause.command_id)
        if known:
            return _first(known, commit)
        self._check(commit)
        bodies = [body_of(fact) for fact in commit.facts]
        for index, (fact, body) in enumerate(zip(commit.facts, bodies, strict=True)):
            self._versions[fact.stream] = fact.stream_version
            self._keep(commit, index, body)
        for wanted in commit.reservations:
            self._owners[wanted.scope, wanted.key] = wanted.owner
        answer = Answer(commit.cause.command_id, len(self._log), commit.streams, commit.refusal)
        self._answers[commit.cause.command_id] = (commit.cause.digest, answer)
        return answer

    def _check(self, commit: Commit) -> None:
        for stream, version in commit.expected.items():
            if self._versions.get(stream, 0) != version:
                raise Conflict(stream)
        for wanted in commit.reservations:
            if self._owners.get((wanted.scope, wanted.key), wanted.owner) != wanted.owner:
                raise Reserved(wanted.scope)

    def _keep(self, commit: Commit, index: int, body: bytes) -> None:
        fact = commit.facts[index]
        envelope = envelope_of(self._origin, commit, index, len(self._log) + 1)
        prev = self._last.get(envelope.partition)
        self._last[envelope.partition] = envelope.position
        self._log.append(Record(envelope, body, prev))
        self._events.append((fact.stream, fact.event, fact.occurred_at))

    async def load(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate with this id, or None."""
        stream, found = cls.stream_of(id), None
        if (snapshot := self._snapshots.get(stream)) and snapshot[1] == form_of(cls):
            found = restored(cls, id, *snapshot[2:])
        return cls.resume(found, id, (await self.read_stream(stream))[found.version if found else 0 :])

    async def keep(self, aggregates: Iterable[Aggregate]) -> None:
        """Take snapshots of those that are due."""
        self._snapshots |= {each.stream: take(each) for each in aggregates if is_due(each)}

    async def read_stream(self, stream: str) -> list[tuple[Event, datetime]]:
        """The events of a stream in order."""
        return [(event, at) for name, event, at in self._events if name == stream]

    async def read(self, after: int, limit: int) -> list[Record]:
        """Events of all streams in order of position."""
        return self._log[after : after + limit]

    async def head(self) -> int:
        """The position of the newest event."""
        return len(self._log)

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table."""
        return self.tables.select(table, key)

    async def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a reserved key."""
        return self._owners.get((scope, key))


def _first(known: tuple[bytes | None, Answer], commit: Commit) -> Answer:
    digest, answer = known
    if digest != commit.cause.digest:
        raise KeyReused(str(commit.cause.command_id))
    return Answer(answer.command_id, answer.position, answer.streams, answer.refusal, repeated=True)
