"""Effects on the outside: FastStream brings own events from the topic, each is done until it is recorded.

Where to go on stands in the service's database, a mark for each partition; Kafka's group only divides the
partitions among processes. What was done is known by command id, or by a row where there was nothing to
record, so that looking again does no harm. What cannot be done is parked by effect and key. Low rates only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from caretrail_contracts.cloudevents import BrokenHeader, Record
from caretrail_contracts.wording import describe
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from psycopg import OperationalError

from chassis.applying import WAITS, Parking
from chassis.command import Command
from chassis.database import Row, arrays, query
from chassis.kafka import GRACE_S, record_of, stopped
from chassis.office import AdapterOffice, Ground
from chassis.part import Part, passes
from chassis.refusal import Refused
from chassis.service import Effect
from chassis.telemetry import EFFECTS_FAILED, EFFECTS_IN_HAND, RECORDS_PARKED
from chassis.waking import settle

PAUSE_S, PAUSE_MAX_S = 0.2, 30.0
"""Rest between attempts while the infrastructure fails: doubled each time up to the longer one."""

BATCH_MAX, POLL_MS = 50, 200
"""Events of a batch at most, and how long the consumer waits for one."""

SIDE_BY_SIDE_MAX = 8
"""Effects under way at once."""

ATTEMPTS_MAX = 6
"""So often an effect is attempted that fails of itself, in some 6 s, before its record is parked."""

SESSION_MS = 6_000
"""After this long without a heartbeat the broker gives the effects to another process."""

SEEN_MS = 5_000
"""How often the group looks for partitions: of a topic that was lost it holds none until it sees them."""

Seen = dict[TopicPartition, tuple[int, int]]
"""Epoch and position of the newest record that came of each partition, or that its mark is at."""

log = structlog.get_logger(__name__)


class Turn(ConsumerRebalanceListener):  # type: ignore[misc]
    """A turn of effects with its consumer, which may outlive it: it has no hand in the next one."""

    def __init__(self, effects: Effects, ground: Ground) -> None:
        self._effects, self._ground = effects, ground
        self._failed, self._seen = asyncio.get_running_loop().create_future(), Seen()

    async def run(self) -> None:
        """Carry out effects until cancelled, or until something fails that is no effect's. Raises that."""
        servers = self._ground.settings.kafka_bootstrap.split(",")
        broker = KafkaBroker(servers, logger=None, metadata_max_age_ms=SEEN_MS, graceful_timeout=GRACE_S)
        self._subscriber: Any = broker.subscriber(
            self._ground.topic, group_id=f"{self._ground.topic}.effects", auto_offset_reset="earliest",
            listener=self, batch=True, max_records=BATCH_MAX, batch_timeout_ms=POLL_MS,
            ack_policy=AckPolicy.MANUAL, session_timeout_ms=SESSION_MS, heartbeat_interval_ms=1_000,
            parser=_unread, decoder=lambda message: None,
        )  # fmt: skip
        self._subscriber(self._take)
        try:
            await broker.start()
            await self._failed
        finally:
            await stopped(broker)

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """What is fetched of them from now on is nobody's until they are placed; a batch in hand ends."""
        self._seen = {}

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Go on where the marks are, whatever offsets the group has: those are for others to look at."""
        try:
            for mark in await self._ground.database.rows(MARKS):
                if (partition := TopicPartition(self._ground.topic, mark["partition"])) in assigned:
                    # Where there is no such offset, aiokafka goes to the beginning.
                    self._subscriber.consumer.seek(partition, mark["kafka_offset"] + 1)
                    self._seen[partition] = mark["epoch"], mark["position"]
            self._effects.fault = None
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Begin anew from the marks: aiokafka and FastStream pass over what is raised, and read on."""
        self._seen = {}
        settle(self._failed, error)

    async def _take(self, message: KafkaMessage) -> None:
        try:
            await self._batch(message.raw_message)
        except Exception as error:
            self._fail(error)
        else:
            with suppress(KafkaError):  # told to those who look at the group, and to the version before
                await message.ack()

    async def _batch(self, messages: Sequence[ConsumerRecord]) -> None:
        """Carry out a batch: keys side by side, the effects of a key in order. Then the marks move."""
        by_key: dict[str, list[Record]] = {}
        reached: dict[TopicPartition, tuple[int, UUID, str, int, int]] = {}
        seen = self._seen
        for partition, batch in groupby(messages, lambda raw: TopicPartition(raw.topic, raw.partition)):
            for raw in batch if partition in seen else ():
                if (record := _readable(raw)) is None:
                    continue
                if await self._misses(seen, partition, record):
                    log.warning("topic_changed", **partition._asdict())
                    self._subscriber.consumer.seek(partition, 0)
                    break
                about = record.envelope
                reached[partition] = raw.partition, about.id, about.stream, about.stream_version, raw.offset
                by_key.setdefault(about.key, []).append(record)
        await asyncio.gather(*(self._effects.in_order(records) for records in by_key.values()))
        if reached:
            epoch = self._ground.store.appender.epoch
            await self._ground.database.rows(MOVE, *arrays(reached.values()), epoch)

    async def _misses(self, seen: Seen, partition: TopicPartition, record: Record) -> bool:
        """Whether what is before a record did not come, the first time that this one does.

        Then the topic may be another than it was. What comes again of it is done already.
        """
        about, last = record.envelope, seen[partition]
        here = about.epoch, about.position
        if about.source != self._ground.store.appender.origin.source or here <= last:
            return False
        seen[partition] = here
        if about.epoch == last[0]:
            return (record.prev or 0) > last[1]
        # The first of an epoch has no ``prev``: the store tells what is before it.
        return bool(await self._ground.database.rows(BEFORE, about.partition, about.position, *last))


class Effects(Part):
    """Carries out a service's effects; in a process that does not, only those that somebody redrives."""

    name = "effects"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._hands = asyncio.Semaphore(SIDE_BY_SIDE_MAX)

    async def turn(self) -> None:
        """Carry out effects until cancelled, or until something fails that is none of theirs. Raises that."""
        await Turn(self, self._ground).run()

    async def in_order(self, records: list[Record]) -> None:
        """Carry out the effects of records of one key."""
        for record in records:
            for effect in self._ground.service.acting(record.envelope.type):
                with EFFECTS_IN_HAND.labels(effect.name).track_inprogress():
                    async with self._hands:
                        await self._until_done(effect, record)

    async def _until_done(self, effect: Effect, record: Record) -> None:
        """Until it is done, or parked: after some attempts, unless what fails is the surroundings."""
        pause, attempts, outcome = PAUSE_S, 0, list[Command | None]()
        broken: Exception | None = None
        while True:
            try:
                stands = await self.stands(effect, record)
                at_once = not (broken or stands["waits"])
                if not stands["done"] and (at_once or not await self._parks(effect, record, broken)):
                    await self.act(effect, record, outcome)
                return
            except Exception as error:
                EFFECTS_FAILED.labels(effect.name).inc()
                log.warning("effect_failed", effect=effect.name, error=type(error).__name__, retry_s=pause)
                # What the surroundings do is no fault of the record: attempted until it goes well.
                if not passes(error):
                    attempts += 1
                    if attempts == ATTEMPTS_MAX:
                        broken, pause = error, PAUSE_S
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_MAX_S)

    async def _parks(self, effect: Effect, record: Record, broken: Exception | None) -> bool:
        """Whether a record is parked since it is broken, or waits behind one that is."""
        parking, now = Parking(self._ground.service), self._ground.clock.now()
        error = describe(broken) if broken else WAITS
        async with self._ground.database.transaction() as connection:
            parked = await parking.queue(connection, effect.name, record, error, now)
            if broken:
                fact, appender = parking.event(effect.name, record, error, now), self._ground.store.appender
                await appender.append(connection, [appender.pack(fact)])
        if parked.rowcount:
            RECORDS_PARKED.labels(effect.name).inc(bool(broken))
            self._ground.store.appended.give()
            self._ground.moved.give()
        return bool(parked.rowcount)

    async def stands(self, effect: Effect, record: Record) -> Row:
        """Whether an effect of a record is ``done``, and whether it ``waits`` behind one that is parked."""
        about, name = record.envelope, effect.name
        command = AdapterOffice(self._ground, name).command_id(str(about.id))
        own = about.source == self._ground.store.appender.origin.source
        asked = name, command, name, own, name, about.key, about.id, about.stream, about.stream_version
        return (await self._ground.database.rows(KNOWN, *asked))[0]

    async def act(self, effect: Effect, record: Record, outcome: list[Command | None]) -> None:
        """Do it, unless its outcome is there, and record that it was done. Raises what the effect raises."""
        about, database = record.envelope, self._ground.database
        office = AdapterOffice(self._ground, effect.name, about.correlation_id, about.id)
        if not outcome:
            # What cannot be recorded is not begun: it would be done again and again.
            if not await database.rows(WRITES, effect.name, self._ground.store.appender.epoch):
                raise OperationalError(f"{effect.name} has not begun on this store: it is another")
            outcome.append(await effect.act(record.decode(), about, office))
        if (command := outcome[0]) is None:
            await database.rows(KEEP, effect.name, about.id, self._ground.store.appender.epoch)
            self._ground.moved.give()
            return
        try:
            await office.execute(command, str(about.id))
        except Refused as refused:
            log.info("effect_refused", effect=effect.name, rule=refused.rule)


def _readable(raw: ConsumerRecord) -> Record | None:
    try:
        return record_of(raw)
    except BrokenHeader as error:
        log.warning("effect_skipped", header=error.header, offset=raw.offset)
        return None


async def _unread(batch: tuple[Any, ...], parse: Any) -> Any:
    """FastStream loses a batch, silently, for one header or body that is not text: it gets to see none."""
    found = await parse(tuple(replace(raw, headers=()) for raw in batch))
    found.raw_message = batch
    return found


KNOWN, MOVE = query("effect_known"), query("move_effects")
KEEP, BEFORE = query("keep_effect"), query("effect_before")
MARKS = b"select * from effect_marks"
WRITES = b"update effect_starts set position = position where effect = %s returning stand(%s)"
"""Changes nothing, durably: fails where the database takes no write, or is not the one that it was."""
