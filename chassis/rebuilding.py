"""Rebuilding: a projection whose version is new is dropped and folded again from the beginning."""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition
from caretrail_contracts.cloudevents import Record, from_headers
from caretrail_contracts.envelope import PARTITIONS, topic_of
from caretrail_contracts.event import UnknownEvent
from psycopg import sql

from chassis.database import Connection, Database
from chassis.kafka import consumer, stopped
from chassis.ownership import lock_number
from chassis.positions import Positions
from chassis.postgres import PostgresReader
from chassis.projection import Projection
from chassis.service import Service
from chassis.tables import Buffer, definition

BATCH_MAX = 5_000
"""Events of one transaction of a rebuild."""

log = structlog.get_logger(__name__)


class Rebuilder:
    """Makes the tables of a service's projections, and folds those of a new version anew."""

    def __init__(
        self, service: Service, database: Database, reader: PostgresReader, bootstrap: str, prefix: str
    ) -> None:
        self._service, self._database, self._reader = service, database, reader
        self._bootstrap, self._prefix = bootstrap, prefix

    async def prepare(self) -> None:
        """Make what is missing; one process at a time, before any handler runs."""
        async with self._database.connection() as connection:
            await connection.execute("select pg_advisory_lock(%s)", (lock_number("projections"),))
            try:
                for projection in self._service.projections:
                    await self._prepare(connection, projection)
                await self._prepare_archives(connection)
            finally:
                await connection.execute("select pg_advisory_unlock(%s)", (lock_number("projections"),))

    async def _prepare(self, connection: Connection, projection: Projection) -> None:
        cursor = await connection.execute(
            "select version from projections where name = %s", (projection.name(),)
        )
        row = await cursor.fetchone()
        if row and row["version"] == projection.version:
            return
        await self._fold_again(connection, projection)

    async def _fold_again(self, connection: Connection, projection: Projection) -> None:
        """Drop, make, fold the history up to the stored positions: all in one transaction, or nothing."""
        positions = Positions()
        async with connection.transaction():
            await connection.execute("lock table positions in share row exclusive mode")
            await positions.load_from(connection)
            for table in projection.tables:
                await connection.execute(
                    sql.SQL("drop table if exists {}").format(sql.Identifier(table.name))
                )
                await connection.execute(definition(table))
            count = await self._fold_own(connection, projection, positions)
            count += await self._fold_topics(connection, projection, positions)
            await connection.execute(VERSION, (projection.name(), projection.version))
        log.info("projection_ready", projection=projection.name(), version=projection.version, events=count)

    async def _fold_own(self, connection: Connection, projection: Projection, positions: Positions) -> int:
        done, after, until = 0, 0, positions.own()
        while after < until:
            records = await self._reader.read(after, BATCH_MAX)
            after = records[-1].envelope.position
            done += await _fold(connection, projection, [r for r in records if r.envelope.position <= until])
        return done

    async def _fold_topics(self, connection: Connection, projection: Projection, positions: Positions) -> int:
        """Fold others' topics up to the offsets that the service's reader has applied."""
        wanted = {event.service for event in projection.folds} - {self._service.name, "system"}
        ends: dict[TopicPartition, int] = {}
        for topic in (topic_of(name, self._prefix) for name in wanted):
            for partition in range(PARTITIONS):
                last = positions.last(topic, partition)
                if last and last[1].offset is not None:
                    ends[TopicPartition(topic, partition)] = last[1].offset
        return await self._read_to(connection, projection, ends) if ends else 0

    async def _read_to(
        self, connection: Connection, projection: Projection, ends: dict[TopicPartition, int]
    ) -> int:
        reader, done, highest = (
            await consumer(self._bootstrap),
            0,
            dict[tuple[str, int, str], tuple[int, int]](),
        )
        try:
            reader.assign(list(ends))
            await reader.seek_to_beginning(*ends)
            while ends:
                found = await reader.getmany(timeout_ms=1_000, max_records=BATCH_MAX)
                for partition, messages in found.items():
                    end = ends.get(partition, -1)
                    records = [from_headers(m.headers, m.value) for m in messages if m.offset <= end]
                    done += await _fold(connection, projection, _first_sights(partition, records, highest))
                    if messages[-1].offset >= end:
                        ends.pop(partition, None)
        finally:
            await stopped(reader)
        return done

    async def _prepare_archives(self, connection: Connection) -> None:
        for archive in self._service.archives:
            cursor = await connection.execute(
                "select to_regclass(%s) is null as missing", (archive.table.name,)
            )
            row = await cursor.fetchone()
            if row and row["missing"]:
                raise RuntimeError(f"table {archive.table.name} is missing: its migration was not run")


def _first_sights(
    partition: TopicPartition, records: list[Record], highest: dict[tuple[str, int, str], tuple[int, int]]
) -> list[Record]:
    """Records that are above all before them: a relay may have sent some twice."""
    found = []
    for record in records:
        about = record.envelope
        spot = (partition.topic, partition.partition, about.source)
        if (about.epoch, about.position) > highest.get(spot, (0, 0)):
            highest[spot] = (about.epoch, about.position)
            found.append(record)
    return found


async def _fold(connection: Connection, projection: Projection, records: list[Record]) -> int:
    buffer, done = Buffer(), 0
    for record in records:
        try:
            event = record.decode()
        except UnknownEvent:
            continue
        if type(event) in projection.folds:
            buffer.take(projection.fold(event, record.envelope))
            done += 1
    await buffer.flush(connection)
    return done


VERSION = b"""
insert into projections (name, version) values (%s, %s)
on conflict (name) do update set version = excluded.version
"""
