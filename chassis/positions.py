"""Positions of a reader: the highest applied of each source, moved by compare-and-set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from caretrail_contracts.cloudevents import BrokenHeader, Record

from chassis.database import Connection, Database, Row, arrays, query

FENCED = "ZF001"
"""The SQLSTATE of a position that is not where it is known to be, or of who may move none, by ``fence``."""

OWN = "store"
"""Where a service's own store stands among its topics; it has one partition."""


class Fenced(Exception):
    """Another process moved a position, or took this one for dead: it no longer owns it."""


class Gap(Exception):
    """A record before this one never arrived: reading on would skip it."""


class Place(NamedTuple):
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

    async def load(self, fetch: Callable[..., Awaitable[list[Row]]]) -> None:
        """Read the table, by what reads rows."""
        rows = [row.values() for row in await fetch(PLACES)]
        self._places = {(topic, number, source): Place(*at) for topic, number, source, *at in rows}

    def at(self, spot: Spot) -> Place | None:
        """How far a source was applied; None where it was not yet."""
        return self._places.get(spot)

    def last(self, topic: str, partition: int) -> tuple[str, Place] | None:
        """The source and place of the record applied last in a partition."""
        here = {spot[2]: place for spot, place in self._places.items() if spot[:2] == (topic, partition)}
        found = [(source, place) for source, place in here.items() if place.offset is not None]
        return max(found, key=lambda item: item[1].offset or 0, default=None)

    def own(self) -> int:
        """How far the own store was applied."""
        return max((place.position for spot, place in self._places.items() if spot[0] == OWN), default=0)

    def moved(self, to: dict[Spot, Place]) -> None:
        """A transaction that moved them is committed."""
        self._places |= to


class Steps:
    """A batch's way from the stored positions on: which records are new, and where they lead."""

    def __init__(self, positions: Positions, topic: str) -> None:
        self._positions, self.topic = positions, topic
        self._taken: dict[Spot, Place] = {}
        self._places: dict[tuple[Spot, int, int], Place] = {}
        self._again: dict[Spot, Place] = {}
        self._to: dict[Spot, Place] = {}

    def take(self, record: Record, offset: int) -> bool:
        """Whether a record, at an offset in Kafka, is above what was applied and taken before it.

        Raises Gap where one before it is missing, BrokenHeader where it cannot come after what was applied.
        """
        about, spot = record.envelope, self._spot(record)
        place = self._taken.get(spot) or self._positions.at(spot) or Place(0, 0, None)
        if (about.epoch, about.position) <= (place.epoch, place.position):
            if (about.epoch, about.position) == (place.epoch, place.position) and offset != place.offset:
                self._again[spot] = Place(about.epoch, about.position, offset)
            return False
        if not follows(record, place):
            raise BrokenHeader("ce_prev", "the position before it in its partition")
        if record.prev is not None and (place.epoch < about.epoch or record.prev > place.position):
            raise Gap(
                f"{self.topic}[{about.partition}]: position {about.position} follows {record.prev}, "
                f"but only {place.position} was applied"
            )
        self._taken[spot] = Place(about.epoch, about.position, offset)
        self._places[spot, about.epoch, about.position] = self._taken[spot]
        return True

    async def find_again(self, database: Database) -> None:
        """Keep the offsets at which what was applied last came again: reading goes on behind them."""
        if found := {spot: at for spot, at in self._again.items() if spot not in self._taken}:
            rows = [(*spot, at.offset, at.epoch, at.position) for spot, at in found.items()]
            await database.rows(FOUND_AGAIN, *arrays(rows))
            self._positions.moved(found)

    async def move(self, connection: Connection, records: Sequence[Record], member: UUID) -> None:
        """Move to the records, in this transaction, from where the stored positions must still be.

        Where they are not, or this member of those who fold was taken for dead, the database ends the
        transaction by an error of the code ``FENCED``.
        """
        self._to = {}
        for record in records:
            spot, about = self._spot(record), record.envelope
            place = self._places.get((spot, about.epoch, about.position))
            self._to[spot] = place or Place(about.epoch, about.position, None)
        moved, begun = [], []
        for spot, place in sorted(self._to.items()):
            row, known = (*spot, *place), self._positions.at(spot)
            if known:
                moved.append((*row, known.epoch, known.position))
            else:
                begun.append(row)
        for statement, rows in ((MOVE, moved), (BEGIN, begun)):
            if rows:
                await connection.execute(statement, (*arrays(rows), member))

    def done(self) -> None:
        """The transaction is committed."""
        self._positions.moved(self._to)

    def _spot(self, record: Record) -> Spot:
        partition = 0 if self.topic == OWN else record.envelope.partition
        return self.topic, partition, record.envelope.source


def follows(record: Record, place: Place) -> bool:
    """Whether a record above a place can come after it: its ``prev`` is not below, unless an epoch begins."""
    return record.envelope.epoch != place.epoch or (record.prev or 0) >= place.position


PLACES = b"select topic, partition, source, epoch, position, kafka_offset from positions"
BEGIN, MOVE, FOUND_AGAIN = query("begin"), query("move"), query("found_again")
