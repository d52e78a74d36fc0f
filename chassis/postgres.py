"""The store in PostgreSQL: one statement writes a batch of commits under the log's lock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Actor, Envelope, Sensitivity
from caretrail_contracts.event import Event, model_of
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

from chassis.command import Answer, Commit
from chassis.database import Connection, Row, query
from chassis.refusal import Conflict, KeyReused, Reserved
from chassis.store import Origin, body_of

LOG_LOCK = 0x6361726574726C67
"""Advisory lock that orders every append of a database: the bytes of ``caretrlg``."""

TAKE_LOCK = f"select pg_advisory_xact_lock({LOG_LOCK})".encode()
APPEND = query("append")
READ = query("read")
STREAM = b"select type, version, occurred_at, body from events where stream = %s order by stream_version"
OWNER = b"select owner from reservations where scope = %s and key = %s"

ENVELOPE = [field.name for field in fields(Envelope) if field.name not in ("source", "actor")]
"""Fields of the envelope that are columns of ``events`` under the same name."""

COMMON = {"position", "epoch", "command_id", "organisation", "program", "sensitivity"}
"""Those that the statement knows for all events of a command, or finds under the lock."""

APPENDED = [*(name for name in ENVELOPE if name not in COMMON), "actor_id", "actor_role"]
appended = attrgetter(*(name.replace("actor_", "actor.") for name in APPENDED))


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


class Appender:
    """Turns commits into the append statement's parameters, and its rows into answers or refusals."""

    def __init__(self, origin: Origin, epoch: int) -> None:
        self.origin, self.epoch = origin, epoch
        self.known = set[UUID]()
        """Commands that readers were found to repeat, as they do on a store of an earlier time."""

    async def append(self, connection: Connection, commits: Sequence[Commit]) -> list[Answer | Exception]:
        """Write commits in the connection's transaction: take the lock, then append; one result each."""
        await connection.execute(TAKE_LOCK)
        cursor = await connection.execute(APPEND, self.parameters(commits), prepare=True)
        return self.results(commits, await cursor.fetchall())

    def parameters(self, commits: Sequence[Commit]) -> dict[str, Any]:
        """The arrays that the statement unnests, and what all events have in common."""
        commands, expected, wanted, events = [], [], [], []
        for ord, commit in enumerate(commits, 1):
            refusal = None if commit.refusal is None else Jsonb(commit.refusal)
            commands.append((commit.cause.command_id, commit.cause.digest, Jsonb(commit.streams), refusal))
            expected += [(ord, *stream_version) for stream_version in commit.expected.items()]
            wanted += [(ord, held.scope, held.key, held.owner) for held in commit.reservations]
            for index, fact in enumerate(commit.facts):
                envelope = self.origin.envelope(commit, index, fact, 0, self.epoch)
                events.append((ord, *appended(envelope), body_of(fact)))
        return {
            **_arrays(["command_id", "digest", "streams", "refusal"], commands),
            **_arrays(["expected_ord", "expected_stream", "expected_version"], expected),
            **_arrays(["wanted_ord", "wanted_scope", "wanted_key", "wanted_owner"], wanted),
            **_arrays(["ord", *APPENDED, "body"], events),
            "epoch": self.epoch,
            "organisation": self.origin.organisation,
            "program": self.origin.program,
            "sensitivity": self.origin.sensitivity.value,
        }

    def results(self, commits: Sequence[Commit], rows: Sequence[Row]) -> list[Answer | Exception]:
        """What became of each commit."""
        return [_result(commit, row) for commit, row in zip(commits, rows, strict=True)]


def _arrays(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _result(commit: Commit, row: Row) -> Answer | Exception:
    if row["known"]:
        if not row["same_digest"]:
            return KeyReused(str(commit.cause.command_id))
        return Answer(commit.cause.command_id, row["position"], row["streams"], row["refusal"], repeated=True)
    if row["stale"]:
        return Conflict(", ".join(commit.expected))
    if row["taken"]:
        return Reserved(", ".join(wanted.scope for wanted in commit.reservations))
    return Answer(commit.cause.command_id, row["position"], commit.streams, commit.refusal)


class PostgresReader:
    """Reads a service's log and its tables, over a pool or within a transaction: by what ``fetch`` reads."""

    def __init__(self, fetch: Callable[..., Awaitable[list[Row]]], origin: Origin) -> None:
        self._fetch, self._source = fetch, origin.source

    async def read_stream(self, stream: str) -> list[tuple[Event, datetime]]:
        """The events of a stream in order, each with when it was true."""
        return [fact_of(row) for row in await self._fetch(STREAM, stream)]

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


def select(table: str, columns: tuple[str, ...]) -> Composed:
    """The rows of a table whose columns equal parameters, in the order of its key."""
    equal = [SQL("{} = %s").format(Identifier(name)) for name in columns]
    where = SQL("where {}").format(SQL(" and ").join(equal)) if columns else SQL("")
    return SQL("select * from {} {} order by 1, 2").format(Identifier(table), where)
