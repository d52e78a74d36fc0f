"""Positions of a reader: the highest applied of each source, moved by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caretrail_contracts.cloudevents import Record
from psycopg.errors import UniqueViolation

from chassis.database import Connection, Database
from chassis.telemetry import CONSUMED_POSITION

OWN = "store"
"""Where a service's own store stands among its topics; it has one partition."""


class Fenced(Exception):
    """Another process moved a position: this one no longer owns it."""


class Gap(Exception):
    """A record before this one never arrived: reading on would skip it."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a source was applied in a partition: epoch, position, and the record's offset in Kafka."""

    epoch: int
    position: int
    offset: int | None


Spot = tuple[str, int, str]
"""Topic, partition, source."""


class Positions:
    """The positions that a process owns, in memory as the table has them."""

    def __init__(self) -> None:
        self._places: dict[Spot, Place] = {}

    async def load(self, database: Database) -> None:
        """Read the table."""
        async with database.connection() as connection:
            await self.load_from(connection)

    async def load_from(self, connection: Connection) -> None:
        """Read the table over a connection, as its transaction sees it."""
        cursor = await connection.execute("select * from positions")
        self._places = {
            (row["topic"], row["partition"], row["source"]): Place(
                row["epoch"], row["position"], row["kafka_offset"]
            )
            for row in await cursor.fetchall()
        }

    def last(self, topic: str, partition: int) -> tuple[str, Place] | None:
        """The source and place of the record applied last in a partition."""
        found = [
            (spot[2], place)
            for spot, place in self._places.items()
            if spot[:2] == (topic, partition) and place.offset is not None
        ]
        return max(found, key=lambda item: item[1].offset or 0, default=None)

    def own(self) -> int:
        """How far the own store was applied."""
        return max((place.position for spot, place in self._places.items() if spot[0] == OWN), default=0)

    def is_new(self, topic: str, record: Record, before: Sequence[Record] = ()) -> bool:
        """Whether the record is above what was applied and the records before it in this batch.

        Raises Gap where one before it is missing.
        """
        about = record.envelope
        place = self._places.get((topic, about.partition, about.source), Place(0, 0, None))
        for other in reversed(before):
            if _spot(topic, other) == _spot(topic, record):
                place = Place(other.envelope.epoch, other.envelope.position, None)
                break
        if (about.epoch, about.position) <= (place.epoch, place.position):
            return False
        if record.prev is not None and (place.epoch < about.epoch or record.prev > place.position):
            raise Gap(
                f"{topic}[{about.partition}]: position {about.position} follows {record.prev}, "
                f"but only {place.position} was applied"
            )
        return True

    async def advance(
        self, connection: Connection, topic: str, records: Sequence[Record], offsets: dict[Spot, int]
    ) -> dict[Spot, Place]:
        """Move the positions to those of the records in this transaction. Raises Fenced.

        ``offsets`` gives, by topic, position and source, a record's offset in Kafka. The caller calls
        ``moved`` with the result once the transaction is committed.
        """
        new = {}
        for record in records:
            about = record.envelope
            offset = offsets.get((topic, about.position, about.source))
            new[_spot(topic, record)] = Place(about.epoch, about.position, offset)
        spots = sorted(new)
        cursor = await connection.execute(LOCK, [list(column) for column in zip(*spots, strict=True)])
        stored = {
            (row["topic"], row["partition"], row["source"]): (row["epoch"], row["position"])
            for row in await cursor.fetchall()
        }
        for spot in spots:
            known = self._places.get(spot)
            if stored.get(spot) != ((known.epoch, known.position) if known else None):
                raise Fenced(f"{spot[0]}[{spot[1]}] was moved by another process")
        await self._write(connection, MOVE, new, [spot for spot in spots if spot in stored])
        try:
            await self._write(connection, BEGIN, new, [spot for spot in spots if spot not in stored])
        except UniqueViolation:
            raise Fenced("another process began to read") from None
        return new

    @staticmethod
    async def _write(connection: Connection, sql: bytes, new: dict[Spot, Place], spots: list[Spot]) -> None:
        if spots:
            values = [(*spot, new[spot].epoch, new[spot].position, new[spot].offset) for spot in spots]
            await connection.execute(sql, [list(column) for column in zip(*values, strict=True)])

    def moved(self, to: dict[Spot, Place]) -> None:
        """The transaction that moved them is committed."""
        self._places |= to
        for (topic, partition, _), place in to.items():
            CONSUMED_POSITION.labels(topic, partition).set(place.position)

    def by_source(self) -> dict[str, dict[int, int]]:
        """The position applied of each source in each partition."""
        found: dict[str, dict[int, int]] = {}
        for (_, partition, source), place in self._places.items():
            found.setdefault(source, {})[partition] = place.position
        return found


def _spot(topic: str, record: Record) -> Spot:
    partition = 0 if topic == OWN else record.envelope.partition
    return topic, partition, record.envelope.source


LOCK = b"""
select topic, partition, source, epoch, position from positions
where (topic, partition, source) in (select * from unnest(%s::text[], %s::smallint[], %s::text[]))
order by topic, partition, source for update
"""
BEGIN = b"""
insert into positions (topic, partition, source, epoch, position, kafka_offset)
select * from unnest(%s::text[], %s::smallint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[])
"""
MOVE = b"""
update positions p
set epoch = n.epoch, position = n.position, kafka_offset = n.kafka_offset, advanced_at = clock_timestamp()
from unnest(%s::text[], %s::smallint[], %s::text[], %s::int[], %s::bigint[], %s::bigint[])
    as n (topic, partition, source, epoch, position, kafka_offset)
where p.topic = n.topic and p.partition = n.partition and p.source = n.source
"""
