"""The relay: one leader sends committed events to the service's topic in order, repeats, never skips."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from caretrail_contracts.cloudevents import Record, to_headers

from chassis.database import LOST, Database
from chassis.kafka import producer, stopped
from chassis.ownership import Ownership
from chassis.postgres import PostgresReader
from chassis.telemetry import RELAY_POSITION
from chassis.waking import waited

BATCH_MAX = 2_000
"""Events sent before the mark moves."""

POLL_S = 0.25
"""How often the relay looks without being woken: the guarantee behind the wake-up."""

log = structlog.get_logger(__name__)


class Relay:
    """Reads the log from its mark, sends, awaits every acknowledgement, then moves the mark."""

    def __init__(
        self, database: Database, log_reader: PostgresReader, bootstrap: str, topic: str, ownership: Ownership
    ) -> None:
        self._database, self._log, self._ownership = database, log_reader, ownership
        self._bootstrap, self._topic = bootstrap, topic
        self._wake = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self.position = 0
        self.on_move: list[Callable[[], None]] = []

    def wake(self) -> None:
        """Something was committed."""
        self._wake.set()

    async def run(self) -> None:
        """Lead while the lock is held; any failure goes back to the mark with a new producer."""
        try:
            while True:
                await self._ownership.until(f"relay:{self._topic}")
                try:
                    await self._lead()
                except (KafkaError, OSError, *LOST) as error:
                    log.warning("relay_interrupted", topic=self._topic, error=type(error).__name__)
                    await self._discard()
                    await asyncio.sleep(0.5)
        finally:
            await self._discard()

    async def _lead(self) -> None:
        self.position = await self._mark()
        while self._ownership.holds(f"relay:{self._topic}"):
            self._wake.clear()
            records = await self._log.read(self.position, BATCH_MAX)
            if records:
                await self._send(records)
            else:
                await waited(self._wake, POLL_S)

    async def _send(self, records: list[Record]) -> None:
        self._producer = self._producer or await producer(self._bootstrap)
        sent = [
            await self._producer.send(
                self._topic,
                value=record.body,
                key=record.envelope.key.encode(),
                partition=record.envelope.partition,
                headers=to_headers(record.envelope, record.prev),
                timestamp_ms=int(record.envelope.recorded_at.timestamp() * 1000),
            )
            for record in records
        ]
        await asyncio.gather(*sent)
        await self._move_mark(records[-1].envelope.position)

    async def _mark(self) -> int:
        row = await self._database.row("select position from relay_mark where topic = %s", self._topic)
        return int(row["position"]) if row else 0

    async def _move_mark(self, to: int) -> None:
        await self._database.rows(MOVE_MARK, self._topic, to)
        self.position = to
        RELAY_POSITION.labels(self._topic).set(to)
        for tell in self.on_move:
            tell()

    async def _discard(self) -> None:
        found, self._producer = self._producer, None
        if found:
            await stopped(found)


MOVE_MARK = b"""
insert into relay_mark as m (topic, position) values (%s, %s)
on conflict (topic) do update set position = greatest(m.position, excluded.position)
returning position
"""
