"""Effects on the outside: FastStream brings own events from the topic, each is done until it is recorded.

The group's offset only says where to go on; what was done is known by command id, or by a mark where
there was nothing to record. What cannot be done is parked by effect and key. Low rates only.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import structlog
from caretrail_contracts.cloudevents import BrokenHeader, Record
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from chassis.applying import WAITS, Parking
from chassis.database import NEVER, query
from chassis.group import Unavailable
from chassis.kafka import record_of, stopped
from chassis.office import AdapterOffice, Ground
from chassis.part import PASSING, Part
from chassis.refusal import Refused
from chassis.service import Effect
from chassis.telemetry import EFFECTS_FAILED, EFFECTS_IN_HAND
from chassis.wording import describe

PAUSE_S, PAUSE_MAX_S = 0.2, 30.0
"""Rest between attempts while the infrastructure fails: doubled each time up to the longer one."""

BATCH_MAX, POLL_MS = 50, 200
"""Events of a batch at most, and how long the consumer waits for one."""

SIDE_BY_SIDE_MAX = 8
"""Effects under way at once."""

ATTEMPTS_MAX = 6
"""So often an effect is attempted that fails of itself, in some 6 s, before its record is parked."""

SURROUNDINGS = (*PASSING, Unavailable)
"""What is no fault of the record: attempted until it goes well."""

SESSION_MS = 6_000
"""After this long without a heartbeat the broker gives the effects to another process."""

SEEN_MS = 5_000
"""How often the group looks for partitions: of a topic that was lost it holds none until it sees them."""

log = structlog.get_logger(__name__)


class Effects(Part):
    """Carries out a service's effects; in a process that does not, only those that somebody redrives."""

    name = "effects"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._by_type: dict[str, list[Effect]] = {}
        for effect in ground.service.effects:
            self._by_type.setdefault(effect.event.type(), []).append(effect)
        self._hands = asyncio.Semaphore(SIDE_BY_SIDE_MAX)

    async def turn(self) -> None:
        """Carry out effects until cancelled. Raises KafkaError where the broker is away at first."""
        servers = self._ground.settings.kafka_bootstrap.split(",")
        broker = KafkaBroker(servers, logger=None, metadata_max_age_ms=SEEN_MS)
        broker.subscriber(
            self._ground.topic,
            batch=True,
            max_records=BATCH_MAX,
            batch_timeout_ms=POLL_MS,
            group_id=f"{self._ground.topic}.effects",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=1_000,
            parser=_unread,
            decoder=lambda message: None,
        )(self._take)
        try:
            await broker.start()
            await asyncio.Event().wait()
        finally:
            await stopped(broker)

    async def _take(self, message: KafkaMessage) -> None:
        """Carry out a batch: keys side by side, the effects of a key in order."""
        by_key: dict[str, list[Record]] = {}
        for record in filter(None, map(self._wanted, message.raw_message)):
            by_key.setdefault(record.envelope.key, []).append(record)
        if by_key:
            await asyncio.gather(*(self._in_order(records) for records in by_key.values()))
            await message.ack()

    def _wanted(self, raw: Any) -> Record | None:
        if (dict(raw.headers).get("ce_type") or b"").decode(errors="replace") not in self._by_type:
            return None
        try:
            return record_of(raw)
        except BrokenHeader as error:
            log.warning("effect_skipped", header=error.header, offset=raw.offset)
            return None

    async def _in_order(self, records: list[Record]) -> None:
        for record in records:
            for effect in self._by_type[record.envelope.type]:
                with EFFECTS_IN_HAND.labels(effect.name).track_inprogress():
                    async with self._hands:
                        await self._until_done(effect, record)

    async def _until_done(self, effect: Effect, record: Record) -> None:
        """Until it is done, or parked: after some attempts, unless what fails is the surroundings."""
        pause, attempts, broken = PAUSE_S, 0, None
        while True:
            try:
                if not await self.is_done(effect, record) and not await self._parks(effect, record, broken):
                    await self.act(effect, record)
                return
            except Exception as error:
                EFFECTS_FAILED.labels(effect.name).inc()
                log.warning("effect_failed", effect=effect.name, error=type(error).__name__, retry_s=pause)
                if not isinstance(error, SURROUNDINGS) or isinstance(error, NEVER):
                    attempts += 1
                    broken = error if attempts >= ATTEMPTS_MAX else None
                await asyncio.sleep(0 if broken else pause)
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
            self._ground.store.appended.give()
            self._ground.moved.give()
        return bool(parked.rowcount)

    async def is_done(self, effect: Effect, record: Record) -> bool:
        """Whether an effect of a record was done, as its mark or command has it."""
        id = record.envelope.id
        command_id = AdapterOffice(self._ground, effect.name).command_id(str(id))
        return await self._ground.database.row(KNOWN, effect.name, id, command_id) is not None

    async def act(self, effect: Effect, record: Record) -> None:
        """Do it and record that it was done. Raises what the effect raises."""
        about = record.envelope
        office = AdapterOffice(self._ground, effect.name, about.correlation_id)
        command = await effect.act(record.decode(), about, office)
        if command is None:
            await self._ground.database.rows(DONE, effect.name, about.id)
            self._ground.moved.give()
            return
        try:
            await office.execute(command, str(about.id))
        except Refused as refused:
            log.info("effect_refused", effect=effect.name, rule=refused.rule)


async def _unread(batch: tuple[Any, ...], parse: Any) -> Any:
    """FastStream loses a batch, silently, for one header or body that is not text: it gets to see none."""
    found = await parse(tuple(replace(raw, headers=()) for raw in batch))
    found.raw_message = batch
    return found


KNOWN = query("effect_known")
DONE = b"insert into effects_done (effect, event_id) values (%s, %s) on conflict do nothing returning effect"
