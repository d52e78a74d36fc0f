"""Topics: where their partitions begin and end, and what stands at an offset; read without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader

from chassis.kafka import consumer, record_of, stopped
from chassis.positions import Place, Positions

ANSWER_MAX_S = 8.0
"""How long Kafka may take for one answer. A look asks up to three times; who asks a service waits 30 s."""

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
async def looking(bootstrap: str, within_s: float = ANSWER_MAX_S) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer for a look. Raises KafkaError, TimeoutError."""
    async with asyncio.timeout(within_s):
        found = await consumer(bootstrap)
    try:
        yield found
    finally:
        await stopped(found)


async def ends(
    reader: AIOKafkaConsumer, partitions: Iterable[TopicPartition], within_s: float = ANSWER_MAX_S
) -> dict[TopicPartition, Ends]:
    """Where partitions begin and end. Raises KafkaError, TimeoutError."""
    wanted = list(partitions)
    async with asyncio.timeout(within_s):
        # Asked for what it does not know yet, aiokafka learns of it and sleeps for a tenth of a second.
        await asyncio.gather(*(reader._client.add_topic(name) for name in {each.topic for each in wanted}))
        begin, end = await reader.beginning_offsets(wanted), await reader.end_offsets(wanted)
    return {each: Ends(begin[each], end[each]) for each in wanted}


async def unapplied(
    reader: AIOKafkaConsumer, within: dict[TopicPartition, Ends], positions: Positions
) -> dict[TopicPartition, tuple[int, float | None]]:
    """The first record in each partition's bounds that was not applied: its offset, and when it was sent, in
    seconds since 1970. Where all were, the end; where time was up, the place that was reached and None.

    What is read again, or is no record, is passed over as readers do, who take no offset on trust: one that
    no longer holds the record applied last tells of another topic, and reading begins anew.
    """
    found, open, until = (
        dict[TopicPartition, tuple[int, float | None]](),
        dict(within),
        monotonic() + LOOK_MAX_S,
    )
    places, known = {each: at.begin for each, at in within.items()}, dict[TopicPartition, tuple[str, Place]]()
    for each, at in within.items():
        last = positions.last(*each)
        if last and at.begin <= (last[1].offset or 0) < at.end:
            places[each], known[each] = last[1].offset or 0, last
    reader.assign(list(open))
    for each, place in places.items():
        reader.seek(each, place)
    while open and monotonic() < until:
        for each, messages in (await reader.getmany(*open, timeout_ms=POLL_MS)).items():
            if (last := known.pop(each, None)) and not holds(messages[0], last):
                places[each] = within[each].begin
                reader.seek(each, places[each])
                continue
            first = next((message for message in messages if is_new(message, positions)), None)
            places[each] = first.offset if first else messages[-1].offset + 1
            if first or places[each] >= within[each].end:
                found[each] = places[each], first.timestamp / 1000 if first else None
                reader.pause(each)
                del open[each]
    return {each: (places[each], None) for each in open} | found


def holds(message: ConsumerRecord, last: tuple[str, Place]) -> bool:
    """Whether a message is the record applied last, at its offset."""
    source, place = last
    try:
        about = record_of(message).envelope
    except BrokenHeader:
        return False
    stored = (place.offset, source, place.epoch, place.position)
    return (message.offset, about.source, about.epoch, about.position) == stored


def is_new(message: ConsumerRecord, positions: Positions) -> bool:
    """Whether a message is a record above what was applied of its source."""
    try:
        about = record_of(message).envelope
    except BrokenHeader:
        return False
    at = positions.at((message.topic, message.partition, about.source))
    return at is None or (about.epoch, about.position) > (at.epoch, at.position)


async def offset_of(reader: AIOKafkaConsumer, partition: TopicPartition, at: datetime) -> int | None:
    """The offset of the first record sent at a time or later; None where there is none."""
    sent = max(0, int(at.timestamp() * 1000))  # Kafka takes no time before 1970
    async with asyncio.timeout(ANSWER_MAX_S):
        found = (await reader.offsets_for_times({partition: sent})).get(partition)
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
