"""History: all that a projection folds, from the own store and others' topics, in chunks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader, Record
from caretrail_contracts.envelope import PARTITIONS, Actor, Envelope, Sensitivity
from psycopg.rows import tuple_row

from chassis.database import Connection, Row
from chassis.kafka import record_of
from chassis.positions import OWN, Gap, Place, Positions, Spot, Steps, follows
from operations.away import Silent
from operations.job import Job, Vector, ahead_of
from operations.topics import ANSWER_MAX_S, looking

POLL_MS = 500
STALLED_MAX_S = 30.0
"""How long a topic may give nothing, although it holds more."""


class Incomplete(Exception):
    """A topic no longer holds what the service applied from it: the history cannot be folded again."""


@dataclass(slots=True)
class Chunk:
    """Records in order by key, and the places that are reached once they are folded."""

    records: list[Record]
    to: Vector
    passed: dict[Spot, int] = field(default_factory=dict)


async def history(reader: Connection, job: Job, kinds: list[str], places: Vector) -> AsyncGenerator[Chunk]:
    """The chunks of a job beyond ``places``. Raises Incomplete, KafkaError, TimeoutError, Silent."""
    until = job.vector
    own = next((place for spot, place in until.items() if spot[0] == OWN), None)
    parts = [[part] for part in reversed(job.partitions)] if job.by_partition else [list(job.partitions)]
    topics = sorted({spot[0] for spot in until} - {OWN}, reverse=job.by_partition)
    if job.by_partition:
        for topic in topics:
            async for chunk in _topic(job, topic, places, until):
                yield chunk
    for numbers in parts if own else ():
        assert own is not None
        async for chunk in _own(
            reader, job, kinds, {part: places[OWN, part, job.source] for part in numbers}, own
        ):
            yield chunk
    if not job.by_partition:
        for topic in topics:
            async for chunk in _topic(job, topic, places, until):
                yield chunk


async def _own(
    reader: Connection, job: Job, kinds: list[str], after: dict[int, Place], until: Place
) -> AsyncGenerator[Chunk]:
    """What the own store holds of some partitions, in its order, and of the wanted types alone."""
    low = min(place.position for place in after.values())
    # One partition is read along its own index, several along the log's order.
    numbers, query = list(after), EVENTS if len(after) > 1 else EVENTS_OF_ONE
    lows = [after[part].position if part in after else 0 for part in range(PARTITIONS)]
    cursor = reader.cursor(binary=True, row_factory=tuple_row)
    while low < until.position:
        place = numbers if len(after) > 1 else numbers[0]
        await cursor.execute(query, (place, lows, low, until.position, kinds, job.batch), prepare=True)
        rows = await cursor.fetchall()
        records = [_record(row, job.source) for row in rows]
        low = records[-1].envelope.position if len(rows) == job.batch else until.position
        epoch = records[-1].envelope.epoch if len(rows) == job.batch else until.epoch
        to = {
            (OWN, part, job.source): Place(epoch, low, None)
            for part, at in after.items()
            if at.position < low
        }
        counts = Counter(map(PARTITION, rows))
        yield Chunk(records, to, {spot: counts[spot[1]] for spot in to})


def _record(row: tuple[Any, ...], source: str) -> Record:
    """The record in a row of EVENTS, whose columns stand in the envelope's order; its times are UTC."""
    actor, sensitivity = _actor(row[14], row[15]), SENSITIVITIES[row[20]]
    fields = (*row[:3], source, *row[3:14], actor, *row[16:20], sensitivity)
    return Record(Envelope._make(fields), row[21], None)


_actor = lru_cache(maxsize=4_096)(Actor)


async def _topic(job: Job, topic: str, places: Vector, until: Vector) -> AsyncGenerator[Chunk]:
    """What a topic holds of the job's partitions, filtered as the feed does."""
    wanted = {
        spot: place
        for spot, place in until.items()
        if spot[0] == topic and spot[1] in job.partitions and ahead_of(place, places[spot])
    }
    if not wanted:
        return
    async with (
        looking(job.kafka) as reader,
        aclosing(_Reading(reader, topic, places, wanted, job.batch).chunks()) as chunks,
    ):
        async for chunk in chunks:
            yield chunk


class _Reading:
    """Reads a topic's partitions until every wanted place is reached."""

    def __init__(
        self, reader: AIOKafkaConsumer, topic: str, places: Vector, wanted: Vector, batch: int
    ) -> None:
        self._reader, self._topic, self._batch = reader, topic, batch
        numbers = {spot[1] for spot in wanted}
        self._places = {spot: at for spot, at in places.items() if spot[0] == topic and spot[1] in numbers}
        self._positions = Positions()
        self._until = wanted
        self._unproven: dict[TopicPartition, Place] = {}

    async def chunks(self) -> AsyncGenerator[Chunk]:
        """What is new, poll by poll."""
        open = {spot[1]: TopicPartition(self._topic, spot[1]) for spot in self._until}
        self._reader.assign(list(open.values()))
        async with asyncio.timeout(ANSWER_MAX_S):
            ends = await self._reader.end_offsets(list(open.values()))
            await self._begin(open, ends)
        while open:
            found = await self._poll(open, ends)
            chunk = await self._chunk(found, ends)
            yield chunk
            self._places |= chunk.to
            for number in {spot[1] for spot in chunk.to}:
                if not any(ahead_of(self._until[spot], self._places[spot]) for spot in self._left(number)):
                    self._reader.pause(open.pop(number))

    def _left(self, number: int) -> list[Spot]:
        return [spot for spot in self._until if spot[1] == number]

    async def _begin(self, open: dict[int, TopicPartition], ends: dict[TopicPartition, int]) -> None:
        """Go on at the last folded record, which must still stand there, else from the beginning."""
        fresh = []
        for number, partition in open.items():
            known = [at for spot, at in self._places.items() if spot[1] == number and at.offset is not None]
            last = max(known, key=lambda at: at.offset or 0, default=None)
            if last and last.offset is not None and last.offset < ends[partition]:
                self._unproven[partition] = last
                self._reader.seek(partition, last.offset)
            else:
                fresh.append(partition)
        if fresh:
            await self._reader.seek_to_beginning(*fresh)

    async def _proven(self, partition: TopicPartition, first: ConsumerRecord) -> bool:
        """Whether the first record read of a partition is the one folded last; if not, begin anew."""
        last, record = self._unproven.pop(partition, None), _readable(first)
        if last is None:
            return True
        if record and (first.offset, record.envelope.epoch, record.envelope.position) == (
            last.offset,
            last.epoch,
            last.position,
        ):
            return True
        await self._reader.seek_to_beginning(partition)
        return False

    async def _poll(
        self, open: dict[int, TopicPartition], ends: dict[TopicPartition, int]
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """The next messages. Raises Incomplete where a partition ends before its place is reached, Silent."""
        for _ in range(int(STALLED_MAX_S * 1000 / POLL_MS)):
            found: dict[TopicPartition, list[ConsumerRecord]] = await self._reader.getmany(
                *open.values(), timeout_ms=POLL_MS, max_records=self._batch
            )
            if found:
                return found
            for partition in open.values():
                async with asyncio.timeout(ANSWER_MAX_S):
                    position = await self._reader.position(partition)
                if position >= ends[partition]:
                    raise Incomplete(
                        f"{self._topic}[{partition.partition}] ends before what was applied of it"
                    )
        raise Silent(f"{self._topic} gave nothing for {STALLED_MAX_S:.0f} s")

    async def _chunk(
        self, found: dict[TopicPartition, list[ConsumerRecord]], ends: dict[TopicPartition, int]
    ) -> Chunk:
        await self._positions.load(self._rows)
        steps, chunk = Steps(self._positions, self._topic), Chunk([], {})
        for partition, messages in found.items():
            for message in messages if await self._proven(partition, messages[0]) else ():
                record = _readable(message)
                if record is None:
                    continue
                spot = (self._topic, record.envelope.partition, record.envelope.source)
                place = Place(record.envelope.epoch, record.envelope.position, message.offset)
                bound = self._until.get(spot)
                at = chunk.to.get(spot) or self._places.get(spot)
                if bound is None or (at and not follows(record, at)):
                    continue  # not to be folded, or sent by no relay: the feed has put it on record
                if ahead_of(place, bound):
                    if follows(record, bound) and message.offset >= ends[partition]:
                        self._reached(spot, chunk, bound)
                elif self._new(steps, record, message.offset):
                    chunk.records.append(record)
                    chunk.to[spot] = place
                    chunk.passed[spot] = chunk.passed.get(spot, 0) + 1
            await asyncio.sleep(0)
        return chunk

    def _new(self, steps: Steps, record: Record, offset: int) -> bool:
        """Whether a record is to be folded next; one before which others are missing may come again."""
        try:
            return steps.take(record, offset)
        except Gap:
            return False

    def _reached(self, spot: Spot, chunk: Chunk, bound: Place) -> None:
        if ahead_of(bound, chunk.to.get(spot) or self._places[spot]):
            raise Incomplete(f"{self._topic}[{spot[1]}] lacks the record that was applied last")

    async def _rows(self, *_: object) -> list[Row]:
        """The places reached, in the shape of the table of positions."""
        return [
            {
                "topic": spot[0], "partition": spot[1], "source": spot[2],
                "epoch": at.epoch, "position": at.position, "kafka_offset": at.offset,
            }
            for spot, at in self._places.items()
            if at.position
        ]  # fmt: skip


def _readable(message: ConsumerRecord) -> Record | None:
    """A message's record; None where its headers are broken, as the feed has recorded."""
    try:
        return record_of(message)
    except BrokenHeader:
        return None


PARTITION = itemgetter(5)
SENSITIVITIES = {each.value: each for each in Sensitivity}

READ = """
select id, type, version, epoch, position, partition, stream, stream_version, occurred_at,
    recorded_at, organisation, program, site, patient, actor_id, actor_role, purpose,
    correlation_id, causation_id, command_id, sensitivity, body
from public.events
where partition = {} and position > (%s::bigint[])[partition + 1] and position > %s and position <= %s
  and type = any(%s::text[])
order by position
limit %s
"""
EVENTS = READ.format("any(%s::smallint[])").encode()
EVENTS_OF_ONE = READ.format("%s").encode()
