"""Rebuilding: a projection whose version is new is dropped and folded again from the beginning."""

from __future__ import annotations

from functools import partial

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader, Record
from caretrail_contracts.envelope import PARTITIONS, topic_of
from psycopg.sql import SQL, Identifier

from chassis.database import Connection, fetch, query
from chassis.kafka import consumer, record_of, stopped
from chassis.office import Ground
from chassis.ownership import lock_number
from chassis.positions import Positions, Steps
from chassis.projection import Projection
from chassis.tables import Buffer, definition

BATCH_MAX = 5_000
"""Events of one transaction of a rebuild."""

log = structlog.get_logger(__name__)


class Rebuilder:
    """Makes the tables of a service's projections, and folds those of a new version anew."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._service = ground, ground.service

    async def prepare(self) -> None:
        """Make what is missing; one process at a time, before any handler runs."""
        lock = lock_number("projections")
        async with self._ground.database.connection() as connection:
            await connection.execute("select pg_advisory_lock(%s)", (lock,))
            try:
                archives = [archive.table.name for archive in self._service.archives]
                missing = await fetch(connection, MISSING, archives)
                if missing:
                    raise RuntimeError(f"table {missing[0]['name']} is missing: its migration was not run")
                known = {row["name"]: row["version"] for row in await fetch(connection, KNOWN)}
                for projection in self._service.projections:
                    if known.get(projection.name()) != projection.version:
                        await self._fold_again(connection, projection)
            finally:
                await connection.execute("select pg_advisory_unlock(%s)", (lock,))

    async def _fold_again(self, connection: Connection, projection: Projection) -> None:
        """Drop, make, fold the history up to the stored positions: all in one transaction, or nothing."""
        positions = Positions()
        async with connection.transaction():
            await connection.execute("lock table positions in share row exclusive mode")
            await positions.load(partial(fetch, connection))
            for table in projection.tables:
                await connection.execute(SQL("drop table if exists {}").format(Identifier(table.name)))
                await connection.execute(definition(table))
            count = await self._fold_own(connection, projection, positions.own())
            count += await self._fold_topics(connection, projection, positions)
            await connection.execute(VERSION, (projection.name(), projection.version))
        log.info("projection_ready", projection=projection.name(), version=projection.version, events=count)

    async def _fold_own(self, connection: Connection, projection: Projection, until: int) -> int:
        done, after = 0, 0
        while after < until:
            records = await self._ground.store.read(after, min(BATCH_MAX, until - after))
            after = records[-1].envelope.position
            done += await _fold(connection, projection, records)
        return done

    async def _fold_topics(self, connection: Connection, projection: Projection, positions: Positions) -> int:
        """Fold others' topics up to the offsets that the service's reader has applied."""
        wanted = {event.service for event in projection.folds} - {self._service.name, "system"}
        topics = [topic_of(name, self._ground.settings.topic_prefix) for name in wanted]
        every = (TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS))
        ends = {each: last[1].offset or 0 for each in every if (last := positions.last(*each))}
        return await self._read_to(connection, projection, ends) if ends else 0

    async def _read_to(
        self, connection: Connection, projection: Projection, ends: dict[TopicPartition, int]
    ) -> int:
        reader, done = await consumer(self._ground.settings.kafka_bootstrap), 0
        steps = {partition.topic: Steps(Positions(), partition.topic) for partition in ends}
        try:
            reader.assign(list(ends))
            await reader.seek_to_beginning(*ends)
            while ends:
                found = await reader.getmany(timeout_ms=1_000, max_records=BATCH_MAX)
                for partition, messages in found.items():
                    end, topic = ends.get(partition, -1), steps[partition.topic]
                    read = [(m, _readable(m)) for m in messages if m.offset <= end]
                    new = [record for m, record in read if record and topic.take(record, m.offset)]
                    done += await _fold(connection, projection, new)
                    if messages[-1].offset >= end:
                        ends.pop(partition, None)
        finally:
            await stopped(reader)
        return done


def _readable(message: ConsumerRecord) -> Record | None:
    """A message's record; None where its headers are broken, as the feed has recorded."""
    try:
        return record_of(message)
    except BrokenHeader:
        return None


async def _fold(connection: Connection, projection: Projection, records: list[Record]) -> int:
    buffer, done, kinds = Buffer(), 0, {event.type() for event in projection.folds}
    for record in records:
        if record.envelope.type in kinds:
            buffer.take(projection.fold(record.decode(), record.envelope))
            done += 1
    await buffer.flush(connection)
    return done


KNOWN = b"select name, version from projections"
MISSING = b"select name from unnest(%s::text[]) as name where to_regclass(name) is null"
VERSION = query("projection_version")
