"""One batch within a transaction: row changes, decided commands and timers, written at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Actor, Envelope
from caretrail_contracts.event import Event
from psycopg.types.json import Jsonb

from chassis.aggregate import Aggregate
from chassis.clock import Clock
from chassis.command import A, Cause, Command, Commit, Row, Work
from chassis.database import Connection
from chassis.ids import derive
from chassis.policy import Cancel, Policy, Reaction, Timer
from chassis.postgres import OWNER, STREAM, Appender, fact_of, select
from chassis.projection import Archive, Projection
from chassis.refusal import Refusal
from chassis.refused import refusal_commit
from chassis.service import Service
from chassis.tables import Buffer


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a batch to go back to."""

    staged: int


class Batch:
    """What a transaction's records come to; also the desk at which its commands decide."""

    def __init__(self, connection: Connection, service: Service, appender: Appender, clock: Clock) -> None:
        self._connection, self._service = connection, service
        self._appender, self._clock = appender, clock
        self.options = service.options
        self._buffer = Buffer()
        self._staged: list[Commit] = []
        self._aggregates: dict[str, Aggregate] = {}

    async def take(self, handler: Projection | Policy | Archive, record: Record, event: Event | None) -> None:
        """Let one handler apply one record."""
        if isinstance(handler, Archive):
            self._buffer.take(handler.keep(record))
        elif isinstance(handler, Projection) and event:
            self._buffer.take(handler.fold(event, record.envelope))
        elif isinstance(handler, Policy) and event:
            await self._react(handler, event, record.envelope)

    async def _react(self, policy: Policy, event: Event, about: Envelope) -> None:
        for index, reaction in enumerate(policy.react(event, about)):
            await self._carry_out(reaction, policy.name, index, about)

    async def _carry_out(self, reaction: Reaction, policy: str, index: int, about: Envelope) -> None:
        if isinstance(reaction, Timer):
            values = (reaction.key, reaction.at, type(reaction.command).__name__)
            body = Jsonb(reaction.command.model_dump(mode="json"))
            await self._connection.execute(SET_TIMER, (*values, body, about.id, about.correlation_id))
        elif isinstance(reaction, Cancel):
            await self._connection.execute(CANCEL_TIMER, (reaction.key,))
        else:
            name = type(reaction).__name__
            id = derive(self._service.name, "policy", policy, about.id, name, index)
            await self.decide(reaction, self._cause(id, about.correlation_id, about.id, f"policy:{policy}"))

    async def decide(self, command: Command, cause: Cause) -> Refusal | None:
        """Carry out a command within the batch; a refusal is recorded and given back."""
        work = Work(self, cause, self._clock.now())
        try:
            await self._service.handlers.of(command)(command, work)
        except Refusal as refusal:
            for stream in work.touched():
                self._aggregates.pop(stream, None)
            self.stage(refusal_commit(command, refusal, cause, work.now))
            return refusal
        self.stage(work.commit())
        self._aggregates |= work.touched()
        return None

    def _cause(self, id: UUID, correlation: UUID, causation: UUID | None, role: str) -> Cause:
        return Cause(
            command_id=id,
            actor=Actor(f"service:{self._service.name}", role),
            purpose="HOPERAT",
            correlation_id=correlation,
            causation_id=causation,
        )

    def timer_cause(self, key: str, event_id: UUID, correlation: UUID) -> Cause:
        """The cause of a timer's command: its key and the event that set it."""
        id = derive(self._service.name, "timer", key, event_id)
        return self._cause(id, correlation, event_id, "timer")

    def stage(self, commit: Commit) -> None:
        """Take a commit in, to be written at the end."""
        self._staged.append(commit)

    def mark(self) -> Mark:
        """The place where the batch stands."""
        return Mark(len(self._staged))

    def back_to(self, mark: Mark) -> None:
        """Forget what came after a place; row changes that were not flushed go too."""
        del self._staged[mark.staged :]
        self._aggregates.clear()
        self._buffer = Buffer()

    async def aggregate(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate as the store and this batch's own commits have it."""
        stream = cls.stream_of(id)
        if stream not in self._aggregates:
            facts = await self._facts(stream)
            if not facts:
                return None
            self._aggregates[stream] = cls.replay(id, facts)
        return self._aggregates[stream]  # type: ignore[return-value]

    async def _facts(self, stream: str) -> Sequence[tuple[Event, datetime]]:
        cursor = await self._connection.execute(STREAM, (stream,))
        stored = [fact_of(row) for row in await cursor.fetchall()]
        staged = [
            (fact.event, fact.occurred_at.astimezone(UTC))
            for commit in self._staged
            for fact in commit.facts
            if fact.stream == stream
        ]
        return stored + staged

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table, with every change of this batch so far."""
        await self.flush()
        cursor = await self._connection.execute(select(table, tuple(key)), list(key.values()))
        return await cursor.fetchall()

    async def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a reserved key."""
        row = await (await self._connection.execute(OWNER, (scope, key))).fetchone()
        return row["owner"] if row else None

    async def flush(self) -> None:
        """Write the row changes so far."""
        await self._buffer.flush(self._connection)

    async def finish(self) -> None:
        """Write everything: rows first, then, under the log's lock, events. Raises Conflict."""
        await self.flush()
        if self._staged:
            results = await self._appender.append(self._connection, _chained(self._staged))
            for result in results:
                if isinstance(result, Exception):
                    raise result


def _chained(commits: Sequence[Commit]) -> list[Commit]:
    """Commits of one batch may build on each other: only a stream's first one expects its stored version."""
    seen: set[str] = set()
    chained = []
    for commit in commits:
        expected = {stream: version for stream, version in commit.expected.items() if stream not in seen}
        seen |= commit.expected.keys()
        chained.append(replace(commit, expected=expected))
    return chained


SET_TIMER = b"""
insert into timers (key, due_at, command, body, event_id, correlation_id) values (%s, %s, %s, %s, %s, %s)
on conflict (key) do update set due_at = excluded.due_at, command = excluded.command, body = excluded.body,
    event_id = excluded.event_id, correlation_id = excluded.correlation_id
"""
CANCEL_TIMER = b"delete from timers where key = %s"
