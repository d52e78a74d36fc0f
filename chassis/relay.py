"""The relay: one leader sends committed events to the service's topic in order, repeats, never skips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from caretrail_contracts.cloudevents import Record, to_headers

from chassis.database import query
from chassis.following import Follower
from chassis.kafka import producer, stopped
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.telemetry import RELAY_POSITION


class Relay(Follower):
    """Reads the log from its mark, sends, awaits every acknowledgement, then moves the mark."""

    name, batch_max = "relay", 2_000
    """Events sent before the mark moves."""

    def __init__(self, ground: Ground, ownership: Ownership) -> None:
        lock = f"relay:{ground.topic}"
        super().__init__(ground, ownership.claim("relay", [lock]), lock)
        self._producer: AIOKafkaProducer | None = None

    async def begin(self) -> int:
        """The mark."""
        row = await self.ground.database.row(MARK, self.ground.topic)
        return int(row["position"]) if row else 0

    async def take(self, records: Sequence[Record]) -> None:
        """Send records, then move the mark."""
        self._producer = self._producer or await producer(self.ground.settings.kafka_bootstrap)
        sent = [
            await self._producer.send(
                self.ground.topic,
                value=record.body,
                key=record.envelope.key.encode(),
                partition=record.envelope.partition,
                headers=to_headers(record.envelope, record.prev),
                timestamp_ms=int(record.envelope.recorded_at.timestamp() * 1000),
            )
            for record in records
        ]
        await asyncio.gather(*sent)
        position = records[-1].envelope.position
        await self.ground.database.rows(MOVE_MARK, self.ground.topic, position)
        RELAY_POSITION.labels(self.ground.topic).set(position)
        self.ground.moved.give()

    async def close(self) -> None:
        """Let go of the producer: a new one starts without what this one may still hold."""
        found, self._producer = self._producer, None
        if found:
            await stopped(found)


MARK = b"select position from relay_mark where topic = %s"
MOVE_MARK = query("move_mark")
