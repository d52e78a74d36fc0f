"""One batch within a transaction: row changes, decided commands and timers, written at its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from functools import partial
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from chassis.aggregate import Aggregate
from chassis.command import A, Answer, Cause, Command, Commit, Work
from chassis.database import Connection, Row, fetch, is_lost, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.policy import Cancel, Policy, Reaction, Timer
from chassis.postgres import PostgresReader
from chassis.projection import Archive, Projection
from chassis.refusal import Conflict
from chassis.tables import Buffer

Handler = Projection | Policy | Archive


class Batch:
    """What a transaction's records come to; also the desk at which its commands decide."""

    def __init__(self, connection: Connection, ground: Ground) -> None:
        self._connection, self._ground, self._service = connection, ground, ground.service
        self._appender = ground.store.appender
        self._reader = PostgresReader(partial(fetch, connection), self._appender.origin)
        self.owner = self._reader.owner
        self._buffer, self._read = Buffer(), dict[str, dict[Any, list[Row]]]()
        self.staged, self._written = list[Commit](), set[str]()
        self._aggregates: dict[str, Aggregate] = {}
        self._decoded: tuple[Record, Event] | None = None

    async def take(self, handler: Handler, record: Record) -> None:
        """Let one handler apply one record. Raises what the handler raises, ValueError on unfit bytes."""
        if isinstance(handler, Archive):
            self._buffer.take(handler.keep(record))
        elif isinstance(handler, Projection):
            self._buffer.take(handler.fold(self._event(record), record.envelope))
        else:
            await self._react(handler, self._event(record), record.envelope)

    async def attempt(self, handler: Handler, record: Record) -> Exception | None:
        """Let one handler apply one record and write its rows, or nothing: then gives what it raised."""
        before = len(self.staged)
        try:
            async with self._connection.transaction():
                await self.take(handler, record)
                await self.flush()
        except Exception as error:
            if isinstance(error, Conflict) or is_lost(error):
                raise
            del self.staged[before:]
            self._aggregates.clear()
            self._written = {stream for commit in self.staged for stream in commit.streams}
            self._buffer, self._read = Buffer(), {}
            return error
        return None

    def _event(self, record: Record) -> Event:
        """A record's event, decoded once for all its handlers."""
        if self._decoded is None or self._decoded[0] is not record:
            self._decoded = record, record.decode()
        return self._decoded[1]

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
            role = f"policy:{policy}"
            await self.decide(
                reaction, Cause.own(id, self._service.name, role, about.correlation_id, about.id)
            )

    async def decide(self, command: Command, cause: Cause) -> None:
        """Carry out a command within the batch, unless it is known; a refusal is recorded."""
        if cause.command_id in self._appender.known:
            return
        work = Work(self, self._guess, cause, self._ground.clock.now(), self._service.options)
        commit = await self._service.handlers.decide(command, work)
        self.stage(commit)
        if commit.refusal is None:
            self._aggregates |= work.touched

    def _guess(self, stream: str, default: None) -> Aggregate | None:
        """Of a stream that the batch writes to, its own alone: what others kept lacks that.

        What is new to the batch may be newer than the rows read so far: they are not used again.
        """
        own, kept = self._aggregates.pop(stream, None), self._ground.executor.kept
        if own is None:
            self._read.clear()
        return own if own or stream in self._written else kept.pop(stream, default)

    def stage(self, commit: Commit) -> None:
        """Take a commit in, to be written at the end, unless it is known."""
        if commit.cause.command_id not in self._appender.known:
            self.staged.append(commit)
            self._written |= commit.streams.keys()

    async def load(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate with this id as the store and this batch's own commits have it, or None."""
        stored, stream = await self._reader.load(cls, id), cls.stream_of(id)
        staged = [fact for commit in self.staged for fact in commit.facts if fact.stream == stream]
        facts = ((fact.event, fact.occurred_at.astimezone(UTC)) for fact in staged)
        return cls.resume(stored, id, facts)

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table, with every change of this batch so far."""
        await self.flush()
        known, asked = self._read.setdefault(table, {}), tuple(key.items())
        if asked not in known:
            known[asked] = await self._reader.rows(table, key)
        return known[asked]

    async def flush(self) -> None:
        """Write the row changes so far."""
        for table in await self._buffer.flush(self._connection):
            self._read.pop(table, None)

    async def finish(self) -> None:
        """Write everything: rows first, then, under the log's lock, events. Raises Conflict."""
        await self.flush()
        if self.staged:
            await self._reader.keep_in(self._appender.epoch, self._aggregates.values())
            packed = [self._appender.pack(commit) for commit in _chained(self.staged)]
            try:
                results = await self._appender.append(self._connection, packed)
            except UniqueViolation as error:  # what builds on a commit that is stale is not told from it
                raise Conflict("the batch builds on what was overtaken") from error
            repeated = {each.command_id for each in results if isinstance(each, Answer) and each.repeated}
            if repeated:
                # Later commands of the batch were decided as if these were new: all again, without them.
                self._appender.known |= repeated
                raise Conflict("the batch repeats commands")
            for result in results:
                if isinstance(result, Exception):
                    raise result

    def committed(self) -> None:
        """The transaction is: what it decided by serves the next one."""
        self._ground.executor.kept.keep(self._aggregates)
        if self.staged:
            self._ground.store.appended.give()
        self._ground.moved.give()


def _chained(commits: Sequence[Commit]) -> list[Commit]:
    """Commits of one batch may build on each other: only a stream's first one expects its stored version."""
    seen: set[str] = set()
    chained = []
    for commit in commits:
        expected = {stream: version for stream, version in commit.expected.items() if stream not in seen}
        seen |= commit.expected.keys()
        chained.append(commit._replace(expected=expected))
    return chained


SET_TIMER, CANCEL_TIMER = query("set_timer"), b"delete from timers where key = %s"
