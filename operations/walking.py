"""The service's own topic, compared with its store: what it holds, and where it lacks something."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader, Record
from caretrail_contracts.envelope import PARTITIONS

from chassis.kafka import record_of
from chassis.positions import Gap, Place, Positions, Steps
from operations.away import Silent
from operations.topics import ANSWER_MAX_S, Ends, ends, looking

POLL_MS, BATCH_MAX = 500, 2_000
FURTHER = 32
"""How many times as far back is read each time that nothing of a source was found."""

STALLED_MAX_S = 30.0
"""How long a topic may give nothing, although it holds more."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The offsets at which a partition begins and ends, and the last record of a source, if it has any."""

    begins: int
    ends: int
    last: Record | None


@dataclass(slots=True)
class Walk:
    """What a reader takes who starts at given places, how far that leads, where records are missing, the
    offsets at which the walk ended, how far one comes who starts with nothing, and what of the records that
    one has not got, by id."""

    records: list[Record] = field(default_factory=list)
    reached: dict[int, Place] = field(default_factory=dict)
    gaps: dict[int, str] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    whole: dict[int, Place] = field(default_factory=dict)
    apart: dict[UUID, Record] = field(default_factory=dict)


async def tails(bootstrap: str, topic: str, source: str, within_s: float = ANSWER_MAX_S) -> dict[int, Tail]:
    """Each partition's tail; empty where there is no such topic. Raises KafkaError, TimeoutError, Silent.

    The topic's end may be other cells': from there is read back as far as it takes to come to a record of
    the source. ``within_s`` is how long Kafka may take for each answer.
    """
    async with looking(bootstrap, within_s) as reader:
        found = await _bounds(reader, topic, within_s)
        last: dict[int, Record] = {}
        open, back = found, 1
        while open:
            part = {each: Ends(max(at.begin, at.end - back), at.end) for each, at in open.items()}
            async for partition, messages in _polled(reader, part, within_s):
                for record in filter(None, map(_readable, messages)):
                    if record.envelope.source == source:
                        last[partition.partition] = record
            open = {
                each: at
                for each, at in open.items()
                if each.partition not in last and part[each].begin > at.begin
            }
            back *= FURTHER
        return {
            each.partition: Tail(at.begin, at.end, last.get(each.partition)) for each, at in found.items()
        }


async def walk(
    bootstrap: str,
    topic: str,
    source: str,
    places: dict[int, Place],
    *,
    keep: bool = False,
    within_s: float = ANSWER_MAX_S,
    on: Walk | None = None,
) -> Walk:
    """Read a source's records in a topic from its beginning, as one who has applied ``places`` takes them.

    With ``keep`` the records taken are in the answer. A walk that is given goes on where it ended. Raises
    KafkaError, TimeoutError, Silent.
    """
    found = on or Walk(reached=dict(places))
    taken, whole = _steps(topic, source, found.reached), _steps(topic, source, found.whole)
    async with looking(bootstrap, within_s) as reader:
        bounds = await _bounds(reader, topic, within_s)
        parts = {
            each: Ends(max(at.begin, found.ends.get(each.partition, 0)), at.end)
            for each, at in bounds.items()
        }
        found.ends = {each.partition: at.end for each, at in bounds.items()}
        async for _, messages in _polled(reader, parts, STALLED_MAX_S):
            for message in messages:
                record = _readable(message)
                if record is None or record.envelope.source != source:
                    continue
                at = Place(record.envelope.epoch, record.envelope.position, message.offset)
                got, new = (_takes(each, record, message.offset) for each in (whole, taken))
                if got is True:
                    found.whole[message.partition] = at
                    found.apart.pop(record.envelope.id, None)
                if isinstance(new, Gap):
                    found.gaps.setdefault(message.partition, str(new))
                elif new:
                    found.gaps.pop(message.partition, None)
                    found.reached[message.partition] = at
                    found.records += [record] * keep
                    if keep and got is not True:
                        found.apart[record.envelope.id] = record
    return found


async def claims_later(
    bootstrap: str, topic: str, source: str, epoch: int, within: Mapping[int, Ends]
) -> bool:
    """Whether a record of a source between offsets says that it is of a later epoch.

    Raises KafkaError, TimeoutError, Silent.
    """
    found = False
    async with looking(bootstrap) as reader:
        parts = {
            each: Ends(max(at.begin, within[each.partition].begin), min(at.end, within[each.partition].end))
            for each, at in (await _bounds(reader, topic, ANSWER_MAX_S)).items()
            if each.partition in within
        }
        async for _, messages in _polled(reader, parts, STALLED_MAX_S):
            found = found or any(_is_later(message, source, epoch) for message in messages)
    return found


def _is_later(message: ConsumerRecord, source: str, epoch: int) -> bool:
    # Most are of the same epoch: to read them costs ten times as much.
    if ("ce_epoch", b"%d" % epoch) in message.headers or (record := _readable(message)) is None:
        return False
    return record.envelope.source == source and record.envelope.epoch > epoch


def _steps(topic: str, source: str, places: dict[int, Place]) -> Steps:
    positions = Positions()
    positions.moved({(topic, number, source): place for number, place in places.items()})
    return Steps(positions, topic)


def _takes(steps: Steps, record: Record, offset: int) -> bool | Gap:
    """Whether a record is new and follows, or what is missing before it.

    What no relay can have sent is passed over, as readers do.
    """
    try:
        return steps.take(record, offset)
    except BrokenHeader:
        return False
    except Gap as gap:
        return gap


async def _bounds(reader: AIOKafkaConsumer, topic: str, within_s: float) -> dict[TopicPartition, Ends]:
    """Where each partition of a topic begins and ends; nothing where it is not there."""
    async with asyncio.timeout(within_s):
        known = topic in await reader.topics()
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS if known else 0)]
    return await ends(reader, partitions, within_s) if partitions else {}


async def _polled(
    reader: AIOKafkaConsumer, bounds: dict[TopicPartition, Ends], stalled_s: float
) -> AsyncIterator[tuple[TopicPartition, list[ConsumerRecord]]]:
    """Messages within bounds. Raises Silent."""
    open, since = {each: at.end for each, at in bounds.items() if at.end > at.begin}, time.monotonic()
    reader.assign(list(open))
    for partition in open:
        reader.seek(partition, bounds[partition].begin)
    while open:
        found = await reader.getmany(*open, timeout_ms=POLL_MS, max_records=BATCH_MAX)
        for partition, messages in found.items():
            yield partition, messages
            if messages[-1].offset + 1 >= open[partition]:
                reader.pause(partition)
                del open[partition]
        since = time.monotonic() if found else since
        if time.monotonic() - since > stalled_s:
            raise Silent(f"{next(iter(open)).topic} gave nothing for {stalled_s:.0f} s")


def _readable(message: ConsumerRecord) -> Record | None:
    """A message's record; None where its headers are broken."""
    try:
        return record_of(message)
    except BrokenHeader:
        return None
