"""The relay: one leader sends committed events to the service's topic in order, repeats, never skips."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from caretrail_contracts.cloudevents import headers_of
from psycopg.rows import tuple_row
from psycopg.types.string import ByteaBinaryLoader

from chassis.database import Connection, query
from chassis.following import Follower
from chassis.kafka import dropped, producer
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
        self.acknowledged: Callable[[Batches, list[Any]], None] = lambda *_: None
        self._producer: AIOKafkaProducer | None = None
        self._mark, self._batches, self._sent = 0, Batches(), list[Any]()
        self._rows: asyncio.Task[list[Any]] | None = None
        self._next: tuple[int, list[Message], Batches] | None = None

    async def begin(self) -> int:
        """From the mark on: each reading begins there."""
        await self.close()
        return 0

    async def read(self, after: int) -> Sequence[Message]:
        """What was committed after the mark, or what was read ahead."""
        ready, self._next = self._next, None
        self._mark, found, self._batches = ready or await self._prepared(self._outgoing(None))
        return found

    async def _outgoing(self, after: int | None) -> list[Any]:
        async with self.ground.database.connection() as connection:
            epoch = self.ground.store.appender.epoch
            return await outgoing(connection, after, self.ground.topic, epoch, self.batch_max)

    async def _prepared(self, rows: Awaitable[list[Any]]) -> tuple[int, list[Message], Batches]:
        """Make records and batches of rows, while the database reads those that follow a full batch."""
        read, found, batches = await rows, list[Message](), Batches()
        if read:
            if len(read) == self.batch_max:
                self._rows = asyncio.create_task(self._outgoing(read[-1][3]))
                await asyncio.sleep(0)
            found = [message_of(self.ground.store.appender.origin.source, row) for row in read]
            sender = self._producer = self._producer or await producer(self.ground.settings.kafka_bootstrap)
            batches = packed(sender, found)
        return read[0][0] if read else 0, found, batches

    async def take(self, found: Sequence[Message]) -> int:
        """Send messages, a batch for each partition, then move the mark. Raises Fenced.

        What follows is made ready meanwhile, but sent only once this is acknowledged.
        """
        position, self._sent = found[-1][0], []
        for partition, batch in self._batches:
            assert self._producer
            self._sent.append(await self._producer.send_batch(batch, self.ground.topic, partition=partition))
        with RELAY_SECONDS.time():
            if rows := self._rows:
                self._rows = None
                self._next = await self._prepared(rows)
            self.acknowledged(self._batches, await asyncio.gather(*self._sent))
        about = self.ground.topic, position, self._mark, self.ground.store.appender.epoch
        if not await self.ground.database.rows(MOVE_MARK, *about):
            raise Fenced(f"the mark of {self.ground.topic} was moved meanwhile")
        self.ground.moved.give()
        return position

    async def close(self) -> None:
        """Let go of the producer and of what it did not send: the next one begins at the mark."""
        if self._rows:
            self._rows.cancel()
        found, self._producer, self._rows, self._next = self._producer, None, None, None
        if found:
            await dropped(found)
            await asyncio.gather(*self._sent, return_exceptions=True)


async def outgoing(
    connection: Connection, after: int | None, topic: str, epoch: int, limit: int
) -> list[Any]:
    """What comes after a position, that of a topic's mark where none is given, each row with that position.

    Raises OperationalError where the store is not the one of that epoch any more. In the database's own text,
    as bytes: nothing is parsed to be printed again.
    """
    async with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        cursor.adapters.register_loader("text", ByteaBinaryLoader)
        return await (await cursor.execute(OUTGOING, (after, topic, epoch, limit))).fetchall()


def packed(sender: AIOKafkaProducer, found: Sequence[Message]) -> Batches:
    """Messages as batches of their partitions, in order."""
    filling, batches = dict[int, Any](), Batches()
    for _, partition, message in found:
        if partition not in filling or filling[partition].append(**message) is None:
            filling[partition] = sender.create_batch()
            filling[partition].append(**message)
            batches.append((partition, filling[partition]))
    return batches


def message_of(source: str, row: Any) -> Message:
    """The record of a row of ``outgoing``."""
    _, at_ms, body, position, partition, key, *_ = row
    headers = headers_of(source, *row[3:])
    return position, partition, {"timestamp": at_ms, "key": key, "value": body, "headers": headers}


OUTGOING, MOVE_MARK = query("outgoing"), query("move_mark")
