"""The store in PostgreSQL: one statement writes a batch of commits under the log's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Actor, Envelope, Sensitivity, partition_of
from caretrail_contracts.event import Event, model_of
from psycopg import sql
from psycopg.types.json import Jsonb

from chassis.command import Answer, Commit, Row
from chassis.database import Connection, Database, query
from chassis.ids import derive
from chassis.refusal import Conflict, KeyReused, Reserved
from chassis.store import Origin, body_of

LOG_LOCK = 0x6361726574726C67
"""Advisory lock that orders every append of a database: the bytes of ``caretrlg``."""

TAKE_LOCK = f"select pg_advisory_xact_lock({LOG_LOCK})".encode()
APPEND = query("append")
READ = query("read")
STREAM = b"select type, version, occurred_at, body from events where stream = %s order by stream_version"


def envelope_of(row: Row, source: str) -> Envelope:
    """The envelope that a row of ``events`` holds."""
    return Envelope(
        id=row["id"],
        type=row["type"],
        version=row["version"],
        source=source,
        epoch=row["epoch"],
        position=row["position"],
        partition=row["partition"],
        stream=row["stream"],
        stream_version=row["stream_version"],
        occurred_at=row["occurred_at"].astimezone(UTC),
        recorded_at=row["recorded_at"].astimezone(UTC),
        organisation=row["organisation"],
        program=row["program"],
        site=row["site"],
        patient=row["patient"],
        actor=Actor(row["actor_id"], row["actor_role"]),
        purpose=row["purpose"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        command_id=row["command_id"],
        sensitivity=Sensitivity(row["sensitivity"]),
    )


class Appender:
    """Turns commits into the append statement's parameters, and its rows into answers or refusals."""

    def __init__(self, origin: Origin, epoch: int) -> None:
        self.origin, self.epoch = origin, epoch

    async def append(self, connection: Connection, commits: Sequence[Commit]) -> list[Answer | Exception]:
        """Write commits in the connection's transaction: take the lock, then append; one result each."""
        await connection.execute(TAKE_LOCK)
        cursor = await connection.execute(APPEND, self.parameters(commits), prepare=True)
        return self.results(commits, await cursor.fetchall())

    def parameters(self, commits: Sequence[Commit]) -> dict[str, Any]:
        """The arrays that the statement unnests."""
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for ord, commit in enumerate(commits, 1):
            _command_columns(columns, commit)
            _expected_columns(columns, ord, commit)
            _fact_columns(columns, ord, commit)
        return {
            **columns,
            "epoch": self.epoch,
            "organisation": self.origin.organisation,
            "program": self.origin.program,
            "sensitivity": self.origin.sensitivity.value,
        }

    def results(self, commits: Sequence[Commit], rows: Sequence[Row]) -> list[Answer | Exception]:
        """What became of each commit."""
        return [_result(commit, row) for commit, row in zip(commits, rows, strict=True)]


_COLUMNS = [
    "command_id",
    "digest",
    "streams",
    "refusal",
    "expected_ord",
    "expected_stream",
    "expected_version",
    "wanted_ord",
    "wanted_scope",
    "wanted_key",
    "wanted_owner",
    "ord",
    "id",
    "stream",
    "stream_version",
    "type",
    "version",
    "occurred_at",
    "recorded_at",
    "site",
    "patient",
    "actor_id",
    "actor_role",
    "purpose",
    "correlation_id",
    "causation_id",
    "partition",
    "body",
]


def _command_columns(columns: dict[str, list[Any]], commit: Commit) -> None:
    columns["command_id"].append(commit.cause.command_id)
    columns["digest"].append(commit.cause.digest)
    columns["streams"].append(Jsonb({fact.stream: fact.stream_version for fact in commit.facts}))
    columns["refusal"].append(None if commit.refusal is None else Jsonb(commit.refusal))


def _expected_columns(columns: dict[str, list[Any]], ord: int, commit: Commit) -> None:
    for stream, version in commit.expected.items():
        columns["expected_ord"].append(ord)
        columns["expected_stream"].append(stream)
        columns["expected_version"].append(version)
    for wanted in commit.reservations:
        columns["wanted_ord"].append(ord)
        columns["wanted_scope"].append(wanted.scope)
        columns["wanted_key"].append(wanted.key)
        columns["wanted_owner"].append(wanted.owner)


def _fact_columns(columns: dict[str, list[Any]], ord: int, commit: Commit) -> None:
    cause = commit.cause
    for index, fact in enumerate(commit.facts):
        key = str(fact.patient) if fact.patient else fact.stream
        values = (
            ord,
            derive(cause.command_id, index),
            fact.stream,
            fact.stream_version,
            fact.event.type(),
            fact.event.version,
            fact.occurred_at,
            commit.recorded_at,
            fact.site,
            fact.patient,
            cause.actor.id,
            cause.actor.role,
            cause.purpose,
            cause.correlation_id,
            cause.causation_id,
            partition_of(key),
            body_of(fact),
        )
        for name, value in zip(_COLUMNS[11:], values, strict=True):
            columns[name].append(value)


def _result(commit: Commit, row: Row) -> Answer | Exception:
    if row["known"]:
        if not row["same_digest"]:
            return KeyReused(str(commit.cause.command_id))
        return Answer(commit.cause.command_id, row["position"], row["streams"], row["refusal"], repeated=True)
    if row["stale"]:
        return Conflict(", ".join(commit.expected))
    if row["taken"]:
        return Reserved(", ".join(wanted.scope for wanted in commit.reservations))
    streams = {fact.stream: fact.stream_version for fact in commit.facts}
    return Answer(commit.cause.command_id, row["position"], streams, commit.refusal)


class PostgresReader:
    """Reads a service's log and its tables."""

    def __init__(self, database: Database, origin: Origin) -> None:
        self._database, self._origin = database, origin

    async def read_stream(self, stream: str) -> list[tuple[Event, datetime]]:
        """The events of a stream in order, each with when it was true."""
        return [fact_of(row) for row in await self._database.rows(STREAM, stream)]

    async def read(self, after: int, limit: int) -> list[Record]:
        """Events of all streams in order of position, from the one after ``after``."""
        rows = await self._database.rows(READ, after, limit)
        return [Record(envelope_of(row, self._origin.source), row["body"], row["prev"]) for row in rows]

    async def head(self) -> int:
        """The position of the newest event; 0 where there is none."""
        row = await self._database.row("select coalesce(max(position), 0) as head from events")
        return int(row["head"]) if row else 0

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table whose columns equal the key's."""
        return await self._database.rows(select(table, tuple(key)), *key.values())

    async def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a reserved key."""
        found = await self._database.row(OWNER, scope, key)
        return found["owner"] if found else None


OWNER = b"select owner from reservations where scope = %s and key = %s"


def fact_of(row: Row) -> tuple[Event, datetime]:
    """The event of a row of ``events``, and when it was true."""
    event = model_of(row["type"]).from_bytes(row["body"], row["version"])
    return event, row["occurred_at"].astimezone(UTC)


def select(table: str, columns: tuple[str, ...]) -> sql.Composed:
    """The rows of a table whose columns equal parameters, in the order of its key."""
    where = sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
    condition = sql.SQL(" where ") + where if columns else sql.SQL("")
    return sql.SQL("select * from {}").format(sql.Identifier(table)) + condition + sql.SQL(" order by 1, 2")
