"""Feeds: what brings records to a service's handlers, from its own store and from others' topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from caretrail_contracts.cloudevents import BrokenHeader, Record
from caretrail_contracts.envelope import PARTITIONS
from caretrail_contracts.system import Place

from chassis.applying import Applier
from chassis.command import Cause
from chassis.following import POLL_S, Follower
from chassis.ids import derive
from chassis.kafka import consumer, record_of, stopped
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.part import Part
from chassis.positions import OWN, Gap, Positions, Steps
from chassis.readings import Readings
from chassis.telemetry import PARTITION_STOPPED

GATHERED_S = 0.2
"""How long records are gathered where nothing follows from them: each batch costs a transaction."""

LOOK_S = 1.0
"""How often is looked whether a topic is gone, or there again."""

READER = "reader"
"""The group of locks for the partitions of others' topics."""

log = structlog.get_logger(__name__)

PORTION = 100
"""Messages read at once: they are let go of, each with its two dozen headers, once their records are made."""

Read = tuple[int, int, bytes, Record | BrokenHeader]
"""A message: offset, when it was sent in ms of the epoch, body, and its record or why there is none."""


class StoreFeed(Follower):
    """Brings a service's own events, in the order of its store."""

    name = "store-feed"

    def __init__(self, ground: Ground, ownership: Ownership) -> None:
        super().__init__(ground, ownership.claim("store", [OWN]), OWN)
        self._applier, self._positions = Applier(ground, archive=False), Positions()
        self.readings = Readings(ground.database, own=True)

    async def read(self, after: int) -> Sequence[Record]:
        """What comes after a position, unless it is paused."""
        await self.readings.changed()
        self.batch_max = self._applier.pace.most
        return [] if self.readings.paused else await super().read(after)

    async def begin(self) -> int:
        """How far the own store was applied."""
        await self._positions.load(self.ground.database.rows)
        await self._applier.load()
        return self._positions.own()

    async def take(self, found: Sequence[Record]) -> int:
        """Apply records."""
        await self._applier.apply(found, Steps(self._positions, OWN))
        return found[-1].envelope.position


class TopicFeed(Part):
    """Brings other services' events from their topics, from the partitions that this process holds."""

    name = "topic-feed"

    def __init__(self, ground: Ground, ownership: Ownership, topics: Sequence[str]) -> None:
        # By number first, so that those who share them each have some of every topic.
        self._partitions = {f"{of}[{n}]": TopicPartition(of, n) for n in range(PARTITIONS) for of in topics}
        self._ground, self._ownership = ground, ownership.claim(READER, self._partitions)
        self._applier, self._positions = Applier(ground, archive=True, meanwhile=self._read_on), Positions()
        self.readings = Readings(ground.database, own=False)
        self._gathered_s = 0 if ground.service.projections or ground.service.policies.all else GATHERED_S
        self._consumer: AIOKafkaConsumer | None = None
        self._ahead: asyncio.Task[dict[TopicPartition, list[Read]]] | None = None
        self._held, self._missing = frozenset[str](), frozenset[str]()
        self._full, self._look_at = False, 0.0
        self._unproven, self._stopped = set[TopicPartition](), dict[tuple[TopicPartition, str], str]()
        self._passed = dict[TopicPartition, tuple[int, int]]()

    async def turn(self) -> None:
        """Read and apply once."""
        again = await self.readings.changed()
        reader, held = self._consumer, self._ownership.held(READER)
        if reader is None or again or held != self._held or await self._topics_changed(reader):
            reader = self._consumer = await self._assigned()
        if reader.assignment():
            await asyncio.sleep(0 if self._full else self._gathered_s)
            ahead, self._ahead = self._ahead, None
            found = await (ahead or self._read(reader))
            for topic in {partition.topic: None for partition in found}:
                await self._take(topic, {part: found[part] for part in found if part.topic == topic})
        else:
            await asyncio.sleep(POLL_S)
        lost = (f"{topic} is missing: `caretrail topics restore` makes it" for topic in sorted(self._missing))
        self.fault = "; ".join([*lost, *self._stopped.values()]) or None

    def behind(self) -> dict[TopicPartition, tuple[int, int]]:
        """Of each partition held, as far as the broker told: how many records are not applied yet, and when
        the last one that was, else the first that was not, was sent, in ms of the epoch; 0 if neither came.
        """
        found = {}
        for part, (place, sent_ms) in self._passed.items():
            if self._consumer and (end := self._consumer.highwater(part)):
                # A topic that was lost ends below the stored offset, until it shows that it is another.
                found[part] = max(0, end - place), sent_ms
        return found

    async def _topics_changed(self, reader: AIOKafkaConsumer) -> bool:
        """Whether a topic is gone, or there again."""
        if monotonic() < self._look_at:
            return False
        self._look_at = monotonic() + LOOK_S
        topics = {self._partitions[name].topic for name in self._held}
        there = await reader.topics() if self._missing else set(filter(reader.partitions_for_topic, topics))
        return topics - there != self._missing

    async def _assigned(self) -> AIOKafkaConsumer:
        """Take over the partitions held: from the stored offset, whose record must be the stored one.

        Those of a topic that is missing are left out: aiokafka would ask for it without a pause, and wait.
        """
        await self._forget_ahead()
        held = self._ownership.held(READER)
        reader = self._consumer = self._consumer or await consumer(self._ground.settings.kafka_bootstrap)
        await self._positions.load(self._ground.database.rows)
        await self._applier.load()
        there, wanted = await reader.topics(), [self._partitions[name] for name in sorted(held)]
        partitions = [part for part in wanted if part.topic in there]
        self._missing, self._look_at = frozenset(part.topic for part in wanted) - there, monotonic() + LOOK_S
        reader.assign(partitions)
        known = {each: last[1].offset or 0 for each in partitions if (last := self._positions.last(*each))}
        self._unproven, told = set(known), self.readings.starts
        known = {each: told[each] for each in partitions if each in told} | known
        for partition, offset in known.items():
            reader.seek(partition, offset)
        # All at once: each call waits for an answer of the broker.
        if fresh := [partition for partition in partitions if partition not in known]:
            await reader.seek_to_beginning(*fresh)
        # The record at a stored offset was applied: it is read again only to prove it.
        self._passed = {
            part: (await reader.position(part) + (part in self._unproven), 0) for part in partitions
        }
        for lost in [spot for spot in self._stopped if spot[0] not in partitions]:
            self._tell(lost, None)
        reader.pause(*(each for each in partitions if tuple(each) in self.readings.paused))
        self._held = held
        return reader

    async def _read(self, reader: AIOKafkaConsumer) -> dict[TopicPartition, list[Read]]:
        """Messages that wait, a batch at most, read as records."""
        found, left, wait_ms = dict[TopicPartition, list[Read]](), self._applier.pace.most, int(POLL_S * 1000)
        try:
            while left and (some := await reader.getmany(timeout_ms=wait_ms, max_records=min(left, PORTION))):
                for part, messages in some.items():
                    found.setdefault(part, []).extend(map(_taken, messages))
                    left -= len(messages)
                wait_ms = 0
        except Exception:
            if not found:
                raise
            # What others brought is applied first; then all is read again from what is stored.
            self._held = frozenset()
        self._full = not left
        return found

    def _read_on(self) -> None:
        """Read what comes next while PostgreSQL writes; only where more waits, lest batches get small."""
        if self._full and not self._ahead and not self._unproven and self._consumer:
            self._ahead = asyncio.create_task(self._read(self._consumer))

    async def _forget_ahead(self) -> None:
        """Let go of what was read ahead: it is read again."""
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _take(self, topic: str, found: dict[TopicPartition, list[Read]]) -> None:
        """Apply what is new of a topic's messages."""
        steps, new, begun = Steps(self._positions, topic), [], set[TopicPartition]()
        for partition, read in found.items():
            place, sent_ms = self._passed[partition]
            self._passed[partition] = place, sent_ms or read[0][1]
            if partition in self._unproven and not await self._proven(partition, read):
                begun.add(partition)
                continue
            for offset, _, body, record in read:
                try:
                    if isinstance(record, BrokenHeader):
                        raise record
                    spot = partition, record.envelope.source
                    if steps.take(record, offset):
                        new.append(record)
                        if self._stopped:
                            self._tell(spot, None)
                except BrokenHeader as error:  # no relay can have sent it: recorded once, and passed over
                    await self._keep_broken((*partition, offset), body, error)
                except Gap as gap:
                    # Read on: a relay that goes back sends what is missing, and this again, behind it.
                    self._tell(spot, self._stopped.get(spot) or str(gap))
        if new:
            await self._applier.apply(new, steps)
        await steps.find_again(self._ground.database)
        for part in found.keys() - begun - {spot[0] for spot in self._stopped}:
            offset, sent_ms, *_ = found[part][-1]
            self._passed[part] = offset + 1, sent_ms

    def _tell(self, spot: tuple[TopicPartition, str], gap: str | None) -> None:
        """Say of a partition that a source's records stop there, and by what, or that they go on."""
        if gap != self._stopped.pop(spot, None):
            log.warning("partition_stopped" if gap else "partition_goes_on", gap=gap, **spot[0]._asdict())
            PARTITION_STOPPED.labels(*spot[0]).set(1 if gap else 0)
        if gap:
            self._stopped[spot] = gap

    async def _keep_broken(self, where: tuple[str, int, int], body: bytes, error: BrokenHeader) -> None:
        """A message without readable headers: recorded once, its body kept sealed, then passed over."""
        name, at = self._ground.service.name, "{}[{}]@{} {}".format(*where, error.header)[:120]
        cause = Cause.own(derive(name, "broken", *where), name, "consumer")
        about = (where[0], "BrokenHeader", (Place(at=at, expected=error.expected),))
        await self._ground.refuse_input(cause, *about, "application/octet-stream", body)

    async def _proven(self, partition: TopicPartition, read: list[Read]) -> bool:
        """Whether the topic still holds at the stored offset what was applied; if not, begin anew."""
        last = self._positions.last(partition.topic, partition.partition)
        self._unproven.discard(partition)
        offset, _, _, record = read[0]
        if last and isinstance(record, Record):
            (source, place), about = last, record.envelope
            stored = (place.offset, source, place.epoch, place.position)
            if (offset, about.source, about.epoch, about.position) == stored:
                return True
        log.warning("topic_changed", topic=partition.topic, partition=partition.partition)
        assert self._consumer is not None
        await self._consumer.seek_to_beginning(partition)
        self._passed[partition] = await self._consumer.position(partition), 0
        return False

    async def close(self) -> None:
        """Let go of the consumer."""
        await self._forget_ahead()
        found, self._consumer, self._held = self._consumer, None, frozenset()
        if found:
            await stopped(found)


def _taken(message: ConsumerRecord) -> Read:
    try:
        record: Record | BrokenHeader = record_of(message)
    except BrokenHeader as error:
        record = error
    return message.offset, message.timestamp, message.value or b"", record
