"""Feeds: what brings records to a service's handlers, from its own store and from others' topics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from caretrail_contracts.cloudevents import BrokenHeader, Record, from_headers
from caretrail_contracts.envelope import PARTITIONS

from chassis.applying import Applier
from chassis.database import LOST, Connection, Database
from chassis.kafka import consumer, stopped
from chassis.ownership import Ownership
from chassis.positions import OWN, Fenced, Gap, Place, Positions, Spot
from chassis.postgres import PostgresReader
from chassis.refusal import Conflict
from chassis.waking import waited

BATCH_MAX = 1_000
"""Records of one transaction at most."""

POLL_S = 0.25
"""How often a feed looks without being woken."""

PAUSE_S = 0.5
"""Rest after a failure before positions are read anew."""

log = structlog.get_logger(__name__)

READER = "reader"
"""The group of locks for the partitions of others' topics."""

RecordBroken = Callable[[str, int, int, BrokenHeader, bytes], Awaitable[None]]
"""Keeps a message without readable headers: topic, partition, offset, what is wrong, its body."""


class Steps:
    """Moves positions with a batch: in its transaction, and in memory once that is committed."""

    def __init__(self, positions: Positions, topic: str, offsets: dict[Spot, int]) -> None:
        self._positions, self._topic, self._offsets = positions, topic, offsets
        self._to: dict[Spot, Place] = {}

    async def move(self, connection: Connection, records: Sequence[Record]) -> None:
        """Move to the records, within the transaction. Raises Fenced."""
        self._to = await self._positions.advance(connection, self._topic, records, self._offsets)

    def done(self) -> None:
        """The transaction is committed."""
        self._positions.moved(self._to)


class StoreFeed:
    """Brings a service's own events, in the order of its store."""

    def __init__(
        self, database: Database, reader: PostgresReader, applier: Applier, ownership: Ownership
    ) -> None:
        self._database, self._reader = database, reader
        self._applier, self._ownership = applier, ownership
        self._wake = asyncio.Event()
        self.positions = Positions()
        self.fault: str | None = None

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    async def run(self) -> None:
        """Apply own events while the lock is held."""
        while True:
            await self._ownership.until(OWN)
            try:
                await self._follow()
            except (Fenced, Conflict, *LOST) as error:
                self.fault = type(error).__name__
                log.warning("store_feed_interrupted", error=self.fault)
                await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        await self.positions.load(self._database)
        await self._applier.load()
        while self._ownership.holds(OWN):
            self._wake.clear()
            records = await self._reader.read(self.positions.own(), BATCH_MAX)
            self.fault = None
            if records:
                await self._applier.apply(records, Steps(self.positions, OWN, {}), archive=False)
            else:
                await waited(self._wake, POLL_S)


class TopicFeed:
    """Brings other services' events from their topics, from the partitions that this process holds."""

    def __init__(
        self,
        database: Database,
        applier: Applier,
        ownership: Ownership,
        bootstrap: str,
        broken: RecordBroken,
    ) -> None:
        self._database, self._applier, self._ownership = database, applier, ownership
        self._bootstrap, self._broken = bootstrap, broken
        self._consumer: AIOKafkaConsumer | None = None
        self._held: frozenset[str] = frozenset()
        self._unproven: set[TopicPartition] = set()
        self.positions = Positions()
        self.fault: str | None = None

    async def run(self) -> None:
        """Read and apply for ever; any failure begins again from the stored positions."""
        try:
            while True:
                try:
                    await self._turn()
                    self.fault = None
                except (Fenced, Gap, Conflict, KafkaError, OSError, *LOST) as error:
                    self.fault = (
                        f"{type(error).__name__}: {error}" if isinstance(error, Gap) else type(error).__name__
                    )
                    log.warning("topic_feed_interrupted", error=self.fault)
                    await self._close()
                    await asyncio.sleep(PAUSE_S)
        finally:
            await self._close()

    async def _turn(self) -> None:
        if self._consumer is None or self._ownership.held(READER) != self._held:
            await self._assign()
        if self._consumer is None or not self._held:
            await asyncio.sleep(POLL_S)
            return
        found = await self._consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=BATCH_MAX)
        by_topic: dict[str, list[tuple[TopicPartition, list[ConsumerRecord]]]] = {}
        for partition, messages in found.items():
            by_topic.setdefault(partition.topic, []).append((partition, messages))
        for topic, parts in by_topic.items():
            await self._take(topic, parts)

    async def _assign(self) -> None:
        """Take over the partitions held: from the stored offset, whose record must be the stored one."""
        held = self._ownership.held(READER)
        self._consumer = self._consumer or await consumer(self._bootstrap)
        await self.positions.load(self._database)
        await self._applier.load()
        partitions = [partition_named(name) for name in sorted(held)]
        self._consumer.assign(partitions)
        self._unproven = set()
        for partition in partitions:
            last = self.positions.last(partition.topic, partition.partition)
            if last:
                self._consumer.seek(partition, last[1].offset or 0)
                self._unproven.add(partition)
        # All at once: each call waits for an answer of the broker.
        fresh = [partition for partition in partitions if partition not in self._unproven]
        if fresh:
            await self._consumer.seek_to_beginning(*fresh)
        self._held = held

    async def _take(self, topic: str, parts: list[tuple[TopicPartition, list[ConsumerRecord]]]) -> None:
        records: list[Record] = []
        offsets: dict[Spot, int] = {}
        for partition, messages in parts:
            read = await self._read(partition, messages)
            if partition in self._unproven and not await self._proven(partition, read):
                return
            for record, offset in read:
                if self.positions.is_new(topic, record, records):
                    records.append(record)
                    offsets[topic, record.envelope.position, record.envelope.source] = offset
        if records:
            await self._applier.apply(records, Steps(self.positions, topic, offsets))

    async def _read(
        self, partition: TopicPartition, messages: list[ConsumerRecord]
    ) -> list[tuple[Record, int]]:
        read = []
        for message in messages:
            try:
                read.append((from_headers(message.headers, message.value or b""), message.offset))
            except BrokenHeader as error:
                await self._broken(
                    partition.topic, partition.partition, message.offset, error, message.value or b""
                )
        return read

    async def _proven(self, partition: TopicPartition, read: list[tuple[Record, int]]) -> bool:
        """Whether the topic still holds at the stored offset what was applied; if not, begin anew."""
        last = self.positions.last(partition.topic, partition.partition)
        self._unproven.discard(partition)
        if last and read:
            (source, place), (record, offset) = last, read[0]
            about = record.envelope
            if (offset, about.source, about.epoch, about.position) == (
                place.offset, source, place.epoch, place.position,
            ):  # fmt: skip
                return True
        log.warning("topic_changed", topic=partition.topic, partition=partition.partition)
        assert self._consumer is not None
        await self._consumer.seek_to_beginning(partition)
        return False

    async def _close(self) -> None:
        found, self._consumer, self._held = self._consumer, None, frozenset()
        if found:
            await stopped(found)


def lock_names(topics: Sequence[str]) -> list[str]:
    """The names of the locks of a reader's partitions."""
    return [f"{topic}[{partition}]" for topic in topics for partition in range(PARTITIONS)]


def partition_named(name: str) -> TopicPartition:
    """The partition that a lock's name stands for."""
    topic, _, rest = name.rpartition("[")
    return TopicPartition(topic, int(rest.rstrip("]")))
