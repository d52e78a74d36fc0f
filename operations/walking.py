"""The service's own topic, compared with its store: what it holds, and where it lacks something."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader, Record
from caretrail_contracts.envelope import PARTITIONS

from chassis.kafka import consumer, record_of, stopped
from chassis.positions import Gap, Place, Positions, Steps

POLL_MS, BATCH_MAX = 500, 2_000
STALLED_MAX_S = 30.0
"""How long a topic may give nothing, although it holds more."""


class Silent(Exception):
    """A topic holds more, but does not give it."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The offsets at which a partition begins and ends, and its last record, if that can be read."""

    begins: int
    ends: int
    last: Record | None


@dataclass(slots=True)
class Walk:
    """What a reader takes who starts at given places, how far that leads, and where records are missing."""

    records: list[Record] = field(default_factory=list)
    reached: dict[int, Place] = field(default_factory=dict)
    gaps: dict[int, str] = field(default_factory=dict)


async def tails(bootstrap: str, topic: str) -> dict[int, Tail]:
    """Each partition's tail; empty where there is no such topic. Raises KafkaError, Silent."""
    async with _reading(bootstrap, topic) as (reader, partitions):
        begins, ends = await _bounds(reader, partitions)
        full = [partition for partition in partitions if ends[partition] > begins[partition]]
        reader.assign(full)
        for partition in full:
            reader.seek(partition, ends[partition] - 1)
        last: dict[int, Record | None] = {}
        async for partition, messages in _polled(reader, {each: ends[each] for each in full}):
            last[partition.partition] = _readable(messages[-1])
        return {
            each.partition: Tail(begins[each], ends[each], last.get(each.partition)) for each in partitions
        }


async def walk(
    bootstrap: str, topic: str, source: str, places: dict[int, Place], *, keep: bool = False
) -> Walk:
    """Read a source's records in a topic from its beginning, as one who has applied ``places`` takes them.

    With ``keep`` the records taken are in the answer. Raises KafkaError, Silent.
    """
    found, positions = Walk(reached=dict(places)), Positions()
    positions.moved({(topic, number, source): place for number, place in places.items()})
    steps = Steps(positions, topic)
    async with _reading(bootstrap, topic) as (reader, partitions):
        begins, ends = await _bounds(reader, partitions)
        full = [partition for partition in partitions if ends[partition] > begins[partition]]
        reader.assign(full)
        for partition in full:
            reader.seek(partition, begins[partition])
        async for _, messages in _polled(reader, {each: ends[each] for each in full}):
            for message in messages:
                record = _readable(message)
                if record and record.envelope.source == source and _taken(steps, record, message, found):
                    about = record.envelope
                    found.reached[about.partition] = Place(about.epoch, about.position, message.offset)
                    if keep:
                        found.records.append(record)
    return found


def _taken(steps: Steps, record: Record, message: ConsumerRecord, found: Walk) -> bool:
    """Whether a record is new and follows; what no relay can have sent is passed over, as readers do."""
    try:
        new = steps.take(record, message.offset)
    except BrokenHeader:
        return False
    except Gap as gap:
        found.gaps.setdefault(message.partition, str(gap))
        return False
    if new:
        found.gaps.pop(message.partition, None)
    return new


@asynccontextmanager
async def _reading(
    bootstrap: str, topic: str
) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    """A consumer, and the partitions of a topic: none where it is not there."""
    reader = await consumer(bootstrap)
    try:
        known = topic in await reader.topics()
        yield reader, [TopicPartition(topic, number) for number in range(PARTITIONS if known else 0)]
    finally:
        await stopped(reader)


async def _bounds(reader: AIOKafkaConsumer, partitions: list[TopicPartition]) -> tuple[Any, Any]:
    if not partitions:
        return {}, {}
    return await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)


async def _polled(
    reader: AIOKafkaConsumer, ends: dict[TopicPartition, int]
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Messages up to the offsets where partitions ended when this began. Raises Silent."""
    open, since = dict(ends), time.monotonic()
    while open:
        found = await reader.getmany(*open, timeout_ms=POLL_MS, max_records=BATCH_MAX)
        for partition, messages in found.items():
            yield partition, messages
            if messages[-1].offset + 1 >= open[partition]:
                reader.pause(partition)
                del open[partition]
        since = time.monotonic() if found else since
        if time.monotonic() - since > STALLED_MAX_S:
            raise Silent(f"{next(iter(open)).topic} gave nothing for {STALLED_MAX_S:.0f} s")


def _readable(message: ConsumerRecord) -> Record | None:
    """A message's record; None where its headers are broken."""
    try:
        return record_of(message)
    except BrokenHeader:
        return None
