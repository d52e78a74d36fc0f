"""The relay: one leader sends committed events to the service's topic in order, repeats, never skips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from psycopg.rows import tuple_row
from psycopg.types.string import ByteaBinaryLoader

from chassis.database import Connection, query
from chassis.following import Follower
from chassis.kafka import producer, stopped
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.positions import Fenced
from chassis.telemetry import RELAY_SECONDS

Message = tuple[int, int, dict[str, Any]]
"""Position, partition, and what a batch of Kafka takes."""


Batches = list[tuple[int, Any]]
"""What a producer sends at a time, each with its partition."""


class Relay(Follower):
    """Reads the log from its mark, sends, awaits every acknowledgement, then moves the mark.

    The mark is read anew each time and moved from there alone: somebody may have moved it back.
    """

    name, batch_max = "relay", 2_000
    """Events sent before the mark moves."""

    def __init__(self, ground: Ground, ownership: Ownership) -> None:
        lock = f"relay:{ground.topic}"
        super().__init__(ground, ownership.claim("relay", [lock]), lock)
        self._producer: AIOKafkaProducer | None = None
        self._mark = 0
        self._batches: Batches = []
        self._ahead: asyncio.Task[tuple[int, list[Message], Batches]] | None = None

    async def begin(self) -> int:
        """From the mark on: each reading begins there."""
        await self.close()
        return 0

    async def read(self, after: int) -> Sequence[Message]:
        """What was committed after the mark, or what was read ahead; what follows is asked for already."""
        ahead, self._ahead = self._ahead, None
        self._mark, found, self._batches = await (ahead or self._outgoing(None))
        if len(found) == self.batch_max:
            self._ahead = asyncio.create_task(self._outgoing(found[-1][0]))
            await asyncio.sleep(0)
        return found

    async def _outgoing(self, after: int | None) -> tuple[int, list[Message], Batches]:
        """Read and pack: of a log that is sent, all that need not wait for the batch before."""
        async with self.ground.database.connection() as connection:
            about = self.ground.store.appender.origin.source, after, self.ground.topic, self.batch_max
            mark, found = await outgoing(connection, *about)
        return mark, found, await self._packed(found)

    async def _packed(self, found: Sequence[Message]) -> Batches:
        if not found:
            return []
        sender = self._producer = self._producer or await producer(self.ground.settings.kafka_bootstrap)
        filling, packed = dict[int, Any](), []
        for _, partition, message in found:
            if partition not in filling or filling[partition].append(**message) is None:
                batch = filling[partition] = sender.create_batch()
                packed.append((partition, batch))
                batch.append(**message)
        return packed

    async def take(self, found: Sequence[Message]) -> int:
        """Send messages, a batch for each partition, then move the mark. Raises Fenced."""
        position, sender = found[-1][0], self._producer
        assert sender
        sent = [
            await sender.send_batch(batch, self.ground.topic, partition=partition)
            for partition, batch in self._batches
        ]
        with RELAY_SECONDS.time():
            await asyncio.gather(*sent)
        if not await self.ground.database.rows(MOVE_MARK, self.ground.topic, position, self._mark):
            raise Fenced(f"the mark of {self.ground.topic} was moved meanwhile")
        self.ground.moved.give()
        return position

    async def close(self) -> None:
        """Let go of the producer: a new one starts without what this one may still hold."""
        if self._ahead:
            self._ahead.cancel()
        found, self._producer, self._ahead = self._producer, None, None
        if found:
            await stopped(found)


async def outgoing(
    connection: Connection, source: str, after: int | None, topic: str, limit: int
) -> tuple[int, list[Message]]:
    """A position, that of a topic's mark where none is given, 0 where nothing comes after it; and what does.

    In the database's own text, as bytes: nothing is parsed to be printed again.
    """
    async with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        cursor.adapters.register_loader("text", ByteaBinaryLoader)
        rows = await (await cursor.execute(OUTGOING, (source, after, topic, limit, limit))).fetchall()
        names = [column.name for column in cursor.description or ()][6:]
    return rows[0][0] if rows else 0, [_message(names, *row) for row in rows]


def _message(
    names: list[str], _: int, position: int, partition: int, key: bytes, at_ms: int, body: bytes, *values: Any
) -> Message:
    headers = [header for header in zip(names, values, strict=True) if header[1] is not None]
    return position, partition, {"timestamp": at_ms, "key": key, "value": body, "headers": headers}


OUTGOING, MOVE_MARK = query("outgoing"), query("move_mark")
