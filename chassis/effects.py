"""Effects on the outside: FastStream brings own events from the topic, each is done until it is recorded.

The group's offset only says where to go on; what was done is known by command id, or by a mark where
there was nothing to record. Low rates only.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from caretrail_contracts.cloudevents import BrokenHeader, Record
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from chassis.database import query
from chassis.kafka import record_of, stopped
from chassis.office import AdapterOffice, Ground
from chassis.part import Part
from chassis.refusal import Refused
from chassis.service import Effect

PAUSE_S, PAUSE_MAX_S = 0.2, 30.0
"""Rest between attempts while the infrastructure fails: doubled each time up to the longer one."""

BATCH_MAX, POLL_MS = 50, 200
"""Events of a batch at most, and how long the consumer waits for one."""

SIDE_BY_SIDE_MAX = 8
"""Effects under way at once."""

SESSION_MS = 6_000
"""After this long without a heartbeat the broker gives the effects to another process."""

log = structlog.get_logger(__name__)


class Effects(Part):
    """Carries out a service's effects; in a process that does not, only tells how many wait."""

    name = "effects"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._by_type: dict[str, list[Effect]] = {}
        for effect in ground.service.effects:
            self._by_type.setdefault(effect.event.type(), []).append(effect)
        self._seen, self._waiting = 0, set[tuple[str, UUID]]()
        self._hands = asyncio.Semaphore(SIDE_BY_SIDE_MAX)

    async def turn(self) -> None:
        """Carry out effects until cancelled. Raises KafkaError where the broker is away at first."""
        broker = KafkaBroker(self._ground.settings.kafka_bootstrap.split(","), logger=None)
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
                async with self._hands:
                    await self._until_done(effect, record)

    async def _until_done(self, effect: Effect, record: Record) -> None:
        pause = PAUSE_S
        while True:
            try:
                await self._do(effect, record)
                return
            except Exception as error:
                log.warning("effect_failed", effect=effect.name, error=type(error).__name__, retry_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_MAX_S)

    async def _do(self, effect: Effect, record: Record) -> None:
        about = record.envelope
        office = AdapterOffice(self._ground, effect.name, about.correlation_id)
        if await self._ground.database.row(KNOWN, effect.name, about.id, office.command_id(str(about.id))):
            return
        command = await effect.act(record.decode(), about, office)
        if command is None:
            await self._ground.database.rows(DONE, effect.name, about.id)
            self._ground.moved.give()
            return
        try:
            await office.execute(command, str(about.id))
        except Refused as refused:
            log.info("effect_refused", effect=effect.name, rule=refused.rule)

    async def pending(self, head: int) -> int:
        """Effects of events up to the log's head that are not done yet."""
        if head > self._seen:
            rows = await self._ground.database.rows(NEW, self._seen, head, list(self._by_type))
            self._waiting |= {
                (effect.name, row["id"]) for row in rows for effect in self._by_type[row["type"]]
            }
            self._seen = head
        waiting = sorted(self._waiting)
        if waiting:
            ids = [AdapterOffice(self._ground, name).command_id(str(id)) for name, id in waiting]
            names, events = [name for name, _ in waiting], [id for _, id in waiting]
            done = await self._ground.database.rows(FINISHED, names, events, ids)
            self._waiting -= {(row["effect"], row["event_id"]) for row in done}
        return len(self._waiting)


async def _unread(batch: tuple[Any, ...], parse: Any) -> Any:
    """FastStream loses a batch, silently, for one header or body that is not text: it gets to see none."""
    found = await parse(tuple(replace(raw, headers=()) for raw in batch))
    found.raw_message = batch
    return found


KNOWN = query("effect_known")
DONE = b"insert into effects_done (effect, event_id) values (%s, %s) on conflict do nothing returning effect"
NEW = b"select id, type from events where position > %s and position <= %s and type = any(%s)"
FINISHED = query("effects_finished")
