"""Topics: where their partitions begin and end, and what stands at an offset; read without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from aiokafka import AIOKafkaConsumer, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader

from chassis.kafka import consumer, record_of, stopped
from chassis.positions import Place

LOOK_MAX_S = 3.0
"""How long is waited for records that are only looked at."""

SCAN_MAX_S = 20.0
"""How long the records between two offsets are read."""

POLL_MS = 300


class TooFar(Exception):
    """There is too much between two offsets to be looked through."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The first offset of a partition that is there, and the one that the next record gets."""

    begin: int
    end: int


@asynccontextmanager
async def looking(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer for a look. Raises KafkaError."""
    found = await consumer(bootstrap)
    try:
        yield found
    finally:
        await stopped(found)


async def ends(reader: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Ends]:
    """Where partitions begin and end."""
    wanted = list(partitions)
    begin, end = await reader.beginning_offsets(wanted), await reader.end_offsets(wanted)
    return {each: Ends(begin[each], end[each]) for each in wanted}


async def sent_at(reader: AIOKafkaConsumer, at: dict[TopicPartition, int]) -> dict[TopicPartition, float]:
    """The times of the records at these offsets, in seconds since 1970; of those that came in time."""
    found: dict[TopicPartition, float] = {}
    until = monotonic() + LOOK_MAX_S
    reader.assign(list(at))
    for partition, offset in at.items():
        reader.seek(partition, offset)
    while len(found) < len(at) and monotonic() < until:
        for partition, messages in (await reader.getmany(timeout_ms=POLL_MS, max_records=len(at))).items():
            found.setdefault(partition, messages[0].timestamp / 1000)
            reader.pause(partition)
    return found


async def offset_of(reader: AIOKafkaConsumer, partition: TopicPartition, at: datetime) -> int | None:
    """The offset of the first record sent at a time or later; None where there is none."""
    found = (await reader.offsets_for_times({partition: int(at.timestamp() * 1000)})).get(partition)
    return found.offset if found else None


async def lost_between(
    reader: AIOKafkaConsumer, partition: TopicPartition, begin: int, to: int, end: int, done: dict[str, Place]
) -> int:
    """How many records from ``begin`` up to ``to`` were never applied and do not come again up to ``end``.

    Raises TooFar.
    """
    passed: set[tuple[str, int, int]] = set()
    until = monotonic() + SCAN_MAX_S
    reader.assign([partition])
    reader.seek(partition, begin)
    place = begin
    while place < end and (place < to or passed):
        if monotonic() > until:
            raise TooFar
        for message in (await reader.getmany(timeout_ms=POLL_MS)).get(partition, ()):
            place = message.offset + 1
            try:
                about = record_of(message).envelope
            except BrokenHeader:
                continue
            mark, known = (about.source, about.epoch, about.position), done.get(about.source)
            if message.offset >= to:
                passed.discard(mark)
            elif known is None or (about.epoch, about.position) > (known.epoch, known.position):
                passed.add(mark)
        await asyncio.sleep(0)
    return len(passed)
