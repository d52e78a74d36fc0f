"""Folding: a job's history into tables of its own, each chunk with the places reached in one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter, itemgetter
from typing import TypeVar
from uuid import UUID

import psycopg
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.wording import describe
from psycopg.errors import DeadlockDetected

from chassis.database import Connection, arrays, connect, fetch, is_lost
from chassis.positions import Fenced, Place
from chassis.projection import Projection
from chassis.tables import Buffer
from operations.away import away_of
from operations.history import Chunk, history
from operations.holding import in_transactions
from operations.job import Job, Vector

BREATH = 25
"""Events folded at a stretch before the loop turns: at each turn some 16 kB of the next chunk are read, and
the chunk before is written. At 250 most of a chunk was read after the one before it was folded."""

DEADLOCKS_MAX = 20

T = TypeVar("T")


class Unfoldable(Exception):
    """A projection cannot fold an event; names it and the kind of error, never values."""

    def __init__(self, record: Record, error: Exception) -> None:
        self.event, self.why = named(record), describe(error)
        super().__init__(f"the event {self.event['id']} cannot be folded: {self.why}")


def named(record: Record) -> dict[str, object]:
    """An event by where it stands."""
    about = record.envelope
    return {
        "id": str(about.id),
        "type": about.type,
        "source": about.source,
        "stream": about.stream,
        "stream_version": about.stream_version,
        "position": about.position,
        "recorded_at": about.recorded_at.isoformat(),
    }


class Rows(Buffer):
    """Row changes that can be written again after a deadlock.

    ``ordered``: in the order of their keys, so that two processes that write the same rows do not cross.
    """

    def __init__(self, *, ordered: bool) -> None:
        super().__init__()
        self._ordered = ordered

    async def flush(self, connection: Connection) -> set[str]:
        """Write every change; gives the names of the tables that were written."""
        rows, inserts = self._rows, self._inserts
        if self._ordered:
            self._rows = {
                table: dict(sorted(rows[table].items(), key=itemgetter(0)))
                for table in sorted(rows, key=attrgetter("name"))
            }
        try:
            return await super().flush(connection)
        except DeadlockDetected:
            self._rows, self._inserts = rows, inserts
            raise


Stored = tuple[str, int, int]
"""Where a record stands: source, epoch, position."""

Named = tuple[UUID, int]
"""By what a parked or discarded record is known: its event's id and its position."""


@dataclass(slots=True)
class Folded:
    """What a chunk comes to: rows, events folded by source and partition, and those skipped, being parked."""

    rows: Rows
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    skipped: list[Stored] = field(default_factory=list)


class Folder:
    """Folds one job."""

    def __init__(self, job: Job, projection: Projection) -> None:
        self._job, self._projection = job, projection
        self._kinds = {event.type(): event for event in projection.folds}
        self._parked: set[Named] = set()
        self._places: Vector = {}

    async def run(self) -> None:
        """Fold to the end of the job. Raises Unfoldable, Incomplete, Fenced."""
        job = self._job
        reader, writer = (
            await connect(job.database, options=READING),
            await connect(
                job.database,
                options=in_transactions(f"-c search_path={job.target} -c synchronous_commit=off"),
            ),
        )
        try:
            self._parked = await parked(reader, self._projection.name())
            rows = await fetch(reader, PLACES, self._projection.name(), job.target, job.run)
            self._places = {
                (row["topic"], row["partition"], row["source"]): Place(
                    row["epoch"], row["position"], row["kafka_offset"]
                )
                for row in rows
            }
            writing: asyncio.Task[None] | None = None
            chunks = history(reader, job, list(self._kinds), dict(self._places))
            async with aclosing(ahead(chunks)) as found:
                async for chunk in found:
                    done = await self._fold(chunk)
                    if writing:
                        await writing
                    writing = asyncio.create_task(self._write(writer, chunk, done))
            if writing:
                await writing
        finally:
            await reader.close()
            await writer.close()

    async def _fold(self, chunk: Chunk) -> Folded:
        job, records = self._job, chunk.records
        done = Folded(Rows(ordered=job.ordered))
        if job.by_partition:
            records = sorted(records, key=lambda record: record.envelope.key, reverse=True)
        for start in range(0, len(records), BREATH):
            for record in records[start : start + BREATH]:
                self._take(record, done)
            await asyncio.sleep(0)
        return done

    def _take(self, record: Record, done: Folded) -> None:
        about, body, _ = record
        kind = self._kinds.get(about.type)
        if kind is None:
            return
        if self._parked and (about.id, about.position) in self._parked:
            done.skipped.append((about.source, about.epoch, about.position))
            return
        try:
            done.rows.take(self._projection.fold(kind.from_bytes(body, about.version), about))
        except Exception as error:
            raise Unfoldable(record, error) from error
        done.counts[about.source, about.partition] += 1

    async def _write(self, writer: Connection, chunk: Chunk, done: Folded) -> None:
        """Rows and places, all or nothing. Raises Fenced where another process goes on with this rebuild.

        Raises Unfoldable where the tables refuse a row.
        """
        if not chunk.to:
            return
        for attempt in range(DEADLOCKS_MAX):
            try:
                async with writer.transaction():
                    await self._advance(writer, chunk, done)
                    await done.rows.flush(writer)
                break
            except DeadlockDetected:
                if attempt == DEADLOCKS_MAX - 1:
                    raise
            except psycopg.Error as error:
                if not away_of(error):
                    await self._blame(writer, chunk)
                raise
        self._places |= chunk.to

    async def _blame(self, writer: Connection, chunk: Chunk) -> None:
        """Write a refused chunk event by event, and undo it. Raises Unfoldable at the one to blame."""
        async with writer.transaction(force_rollback=True):
            for record in chunk.records:
                done = Folded(Rows(ordered=False))
                self._take(record, done)
                try:
                    await done.rows.flush(writer)
                except psycopg.Error as error:
                    if is_lost(error):
                        raise
                    raise Unfoldable(record, error) from error

    async def _advance(self, writer: Connection, chunk: Chunk, done: Folded) -> None:
        moves = []
        for spot, place in chunk.to.items():
            _, partition, source = spot
            known, counts = self._places[spot], (chunk.passed.get(spot, 0), done.counts[source, partition])
            moves.append(
                (*spot, place.epoch, place.position, place.offset, *counts, known.epoch, known.position)
            )
        job, name = self._job, self._projection.name()
        cursor = await writer.execute(ADVANCE, (*arrays(moves), name, job.target, job.run, job.turn))
        if done.skipped:
            await writer.execute(SKIPPED, (name, job.target, *arrays(done.skipped)))
        if cursor.rowcount != len(moves):
            raise Fenced(f"another process goes on with the rebuild of {name}")


async def ahead(chunks: AsyncIterator[T]) -> AsyncGenerator[T]:
    """The same, each asked for while the one before is worked on."""
    ask = partial(_next, chunks)
    upcoming = asyncio.create_task(ask())
    try:
        while (chunk := await upcoming) is not None:
            upcoming = asyncio.create_task(ask())
            await asyncio.sleep(0)
            yield chunk
    finally:
        upcoming.cancel()
        await asyncio.wait([upcoming])


async def _next(chunks: AsyncIterator[T]) -> T | None:
    return await anext(chunks, None)


async def parked(connection: Connection, handler: str) -> set[Named]:
    """The records that wait for a handler, to be redriven, and those that were discarded: never rebuilt."""
    rows = await fetch(connection, PARKED, handler, handler)
    return {(row["event_id"], row["position"]) for row in rows}


READING = "-c enable_sort=off -c enable_bitmapscan=off -c enable_seqscan=off"
"""Of a session that reads the log: along an index, never by sorting all that is left of it for each chunk."""

PARKED = b"""
select event_id, position from public.parked where handler = %s
union all select event_id, position from public.discarded where handler = %s
"""
PLACES = b"select * from public.rebuild_places where projection = %s and target = %s and run = %s"
SKIPPED = b"""
insert into public.rebuild_skipped (projection, target, source, epoch, position)
select %s, %s, * from unnest(%s::text[], %s::integer[], %s::bigint[])
"""
ADVANCE = b"""
update public.rebuild_places p
set epoch = n.epoch, position = n.position, kafka_offset = n.kafka_offset,
    passed = p.passed + n.passed, folded = p.folded + n.folded
from unnest(
    %s::text[], %s::smallint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::int[], %s::bigint[]
) as n (topic, partition, source, epoch, position, kafka_offset, passed, folded, known_epoch, known)
where p.projection = %s and p.target = %s and p.run = %s and p.turn = %s
  and p.topic = n.topic and p.partition = n.partition and p.source = n.source
  and p.epoch = n.known_epoch and p.position = n.known
"""
