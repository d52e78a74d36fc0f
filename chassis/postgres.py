"""The store in PostgreSQL: one statement writes a batch of commits under the log's lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Actor, Envelope, Sensitivity
from caretrail_contracts.event import Event, model_of
from psycopg.sql import SQL, Identifier

from chassis.aggregate import Aggregate
from chassis.command import A, Answer, Commit
from chassis.database import Connection, Row, query
from chassis.database import arrays as columns
from chassis.packing import Kind, arrays, bytea, integer, jsonb, text, timestamptz, uuid
from chassis.refusal import Conflict, KeyReused, Reserved
from chassis.snapshots import form_of, is_due, restored, take
from chassis.store import Origin, body_of, event_id, partition_for

READ, STREAMS, KEEP = query("read"), query("streams"), query("keep_snapshots")
OWNER = b"select owner from reservations where scope = %s and key = %s"

Rows = list[tuple[bytes, ...]]

EVENT: tuple[Kind, ...] = (
    *(uuid,) * 4,  # id, patient, correlation, causation
    *(text,) * 6,  # type, stream, site, actor's id and role, purpose
    *(integer,) * 3,  # version, partition, version of the stream
    *(timestamptz,) * 2,  # occurred at, recorded at
    bytea,
)
"""How the fields of an event are packed that are its own, and its body."""

KINDS: tuple[tuple[Kind, ...], ...] = (
    (uuid, bytea, jsonb, jsonb, integer),  # command: id, digest, versions of its streams, refusal, events
    (integer, text, integer),  # expected: number of the commit, stream, version
    (integer, text, text, uuid),  # reservation: number of the commit, scope, key, owner
    (integer, *EVENT),  # event: number of the commit, fields
)
"""How the rows of commits are packed that the function takes."""

APPEND = b"select * from append_commits(%s" + b", %s" * (sum(map(len, KINDS)) + 3) + b")"
"""The function of ``migrations/0010_lookups.sql``; it takes the log's lock, held until the commit."""


def record_of(row: Row, source: str) -> Record:
    """The record that a row of ``events`` holds; the row is used up."""
    body, prev = row.pop("body"), row.pop("prev")
    row["actor"] = Actor(row.pop("actor_id"), row.pop("actor_role"))
    row["occurred_at"] = row["occurred_at"].astimezone(UTC)
    row["recorded_at"] = row["recorded_at"].astimezone(UTC)
    row["sensitivity"] = Sensitivity(row["sensitivity"])
    return Record(Envelope(**row, source=source), body, prev)


def fact_of(row: Row) -> tuple[Event, datetime]:
    """The event of a row of ``events``, and when it was true."""
    event = model_of(row["type"]).from_bytes(row["body"], row["version"])
    return event, row["occurred_at"].astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Packed:
    """A commit, the versions of its streams after it, and the packed rows of each of ``KINDS``."""

    commit: Commit
    streams: dict[str, int]
    rows: tuple[Rows, Rows, Rows, Rows]


class Appender:
    """Packs commits for the append statement, and turns its row into answers or refusals."""

    def __init__(self, origin: Origin, epoch: int) -> None:
        self.origin, self.epoch = origin, epoch
        self._common = (epoch, origin.organisation, origin.program, origin.sensitivity.value)
        self.known = set[UUID]()
        """Commands that readers were found to repeat, as they do on a store of an earlier time."""

    def pack(self, commit: Commit) -> Packed:
        """A commit's rows. Raises EventTooLarge."""
        cause, streams, events = commit.cause, commit.streams, []
        named = {stream: bytea(stream.encode()) for stream in {**commit.expected, **streams}}
        caused = (uuid(cause.correlation_id), uuid(cause.causation_id))
        by = (text(cause.actor.id), text(cause.actor.role), text(cause.purpose))
        recorded = timestamptz(commit.recorded_at)
        for index, fact in enumerate(commit.facts):
            # In the order of EVENT, a UUID's bytes like any; an envelope of it would cost as much again.
            ids = (bytea(event_id(commit, index)), uuid(fact.patient), *caused)
            texts = (text(fact.event.type()), named[fact.stream], text(fact.site), *by)
            numbers = (fact.event.version, partition_for(fact), fact.stream_version)
            times = (timestamptz(fact.occurred_at), recorded)
            events.append((*ids, *texts, *map(integer, numbers), *times, bytea(body_of(fact))))
        known_by = (uuid(cause.command_id), bytea(cause.digest))
        command = (*known_by, jsonb(streams), jsonb(commit.refusal), integer(len(events)))
        expected: Rows = [(named[stream], integer(after)) for stream, after in commit.expected.items()]
        wanted: Rows = [(text(held.scope), text(held.key), uuid(held.owner)) for held in commit.reservations]
        return Packed(commit, streams, ([command], expected, wanted, events))

    async def append(self, connection: Connection, batch: Sequence[Packed]) -> list[Answer | Exception]:
        """Write commits in the connection's transaction, or one of their own; one result each.

        Without any it is seen that commits can be written.
        """
        commands, *others = [*zip(*(one.rows for one in batch), strict=True)] or [()] * len(KINDS)
        parts = [[row for [row] in commands], *map(_numbered, others)]
        columns = [array for kinds, rows in zip(KINDS, parts, strict=True) for array in arrays(kinds, rows)]
        cursor = await connection.execute(APPEND, (*columns, *self._common), prepare=True)
        [row] = await cursor.fetchall()
        return list(_results(batch, row))


def _numbered(commits: Iterable[Rows]) -> Rows:
    """The rows of commits, before each the number of its commit."""
    return [(integer(number), *row) for number, rows in enumerate(commits, 1) for row in rows]


def _results(batch: Sequence[Packed], row: Row) -> Iterator[Answer | Exception]:
    """What became of each commit."""
    position, known = row["head"], row["known"] or {}
    for number, packed in enumerate(batch, 1):
        commit, id = packed.commit, packed.commit.cause.command_id
        if first := known.get(str(number)):
            if first.pop("same_digest"):
                yield Answer(id, **first, repeated=True)
            else:
                yield KeyReused(str(id))
        elif number in row["stale"]:
            yield Conflict(", ".join(commit.expected))
        elif number in row["taken"]:
            yield Reserved(", ".join(wanted.scope for wanted in commit.reservations))
        else:
            position += len(commit.facts)
            yield Answer(id, position, packed.streams, commit.refusal)


class PostgresReader:
    """Reads a service's log and its tables, over a pool or within a transaction: by what ``fetch`` reads."""

    def __init__(self, fetch: Callable[..., Awaitable[list[Row]]], origin: Origin) -> None:
        self._fetch, self._source = fetch, origin.source

    async def load(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate with this id as its stream has it, or None: its snapshot, and what came after."""
        stream, found = cls.stream_of(id), None
        rows = await self._rows_of(stream, form_of(cls))
        if rows and rows[0]["type"] is None:
            # Who loads the stream beside this has the same rows: they stay as they are.
            snapshot, rows = rows[0], rows[1:]
            found = restored(cls, id, snapshot["stream_version"], snapshot["body"])
        return cls.resume(found, id, map(fact_of, rows))

    async def read_stream(self, stream: str) -> list[tuple[Event, datetime]]:
        """The events of a stream in order, each with when it was true."""
        return [fact_of(row) for row in await self._rows_of(stream)]

    async def _rows_of(self, stream: str, form: str = "") -> list[Row]:
        """What there is of a stream: its snapshot of this form, if any, and the events after it."""
        return await self._fetch(STREAMS, [stream], [form])

    async def keep_in(self, epoch: int, aggregates: Iterable[Aggregate]) -> None:
        """Take snapshots of aggregates as they were committed in an epoch, of those that are due."""
        # In one order, lest two transactions wait for each other's rows.
        if taken := sorted(map(take, filter(is_due, aggregates))):
            await self._fetch(KEEP, *columns(taken), epoch)

    async def read(self, after: int, limit: int) -> list[Record]:
        """Events of all streams in order of position, from the one after ``after``."""
        return [record_of(row, self._source) for row in await self._fetch(READ, after, limit)]

    async def head(self) -> int:
        """The position of the newest event; 0 where there is none."""
        (row,) = await self._fetch("select coalesce(max(position), 0) as head from events")
        return int(row["head"])

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table whose columns equal the key's."""
        return await self._fetch(select(table, tuple(key)), *key.values())

    async def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a reserved key."""
        found = await self._fetch(OWNER, scope, key)
        return found[0]["owner"] if found else None


@cache
def select(table: str, columns: tuple[str, ...]) -> bytes:
    """The rows of a table whose columns equal parameters, in the order of its key."""
    equal = [SQL("{} = %s").format(Identifier(name)) for name in columns]
    where = SQL("where {}").format(SQL(" and ").join(equal)) if columns else SQL("")
    return SQL("select * from {} {} order by 1, 2").format(Identifier(table), where).as_bytes()
