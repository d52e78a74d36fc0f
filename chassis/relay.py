"""The relay: one leader sends committed events to the service's topic in order, repeats, never skips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from chassis.database import Connection, query
from chassis.following import Follower
from chassis.kafka import producer, stopped
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.positions import Fenced
from chassis.telemetry import RELAY_SECONDS

Message = tuple[int, int, dict[str, Any]]
"""Position, partition, and what a batch of Kafka takes."""


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

    async def begin(self) -> int:
        """From the mark on: each reading begins there."""
        return 0

    async def read(self, after: int) -> Sequence[Message]:
        """What was committed after the mark."""
        async with self.ground.database.connection() as connection:
            source = self.ground.store.appender.origin.source
            self._mark, found = await outgoing(connection, source, self.ground.topic, self.batch_max)
            return found

    async def take(self, found: Sequence[Message]) -> int:
        """Send messages, a batch for each partition, then move the mark. Raises Fenced."""
        sender = self._producer = self._producer or await producer(self.ground.settings.kafka_bootstrap)
        batches, sent = dict[int, Any](), []
        for _, partition, message in found:
            batch = batches.get(partition) or batches.setdefault(partition, sender.create_batch())
            if batch.append(**message) is None:
                sent.append(await sender.send_batch(batch, self.ground.topic, partition=partition))
                batch = batches[partition] = sender.create_batch()
                batch.append(**message)
        for partition, batch in batches.items():
            sent.append(await sender.send_batch(batch, self.ground.topic, partition=partition))
        with RELAY_SECONDS.time():
            await asyncio.gather(*sent)
        position = found[-1][0]
        if not await self.ground.database.rows(MOVE_MARK, self.ground.topic, position, self._mark):
            raise Fenced(f"the mark of {self.ground.topic} was moved meanwhile")
        self.ground.moved.give()
        return position

    async def close(self) -> None:
        """Let go of the producer: a new one starts without what this one may still hold."""
        found, self._producer = self._producer, None
        if found:
            await stopped(found)


async def outgoing(connection: Connection, source: str, topic: str, limit: int) -> tuple[int, list[Message]]:
    """A topic's mark, 0 where nothing is after it, and the records after it as they are sent.

    In the database's own text: nothing is parsed to be printed again.
    """
    rows = (await connection.execute(OUTGOING, (source, topic, limit))).pgresult
    assert rows is not None
    columns = range(rows.nfields)
    names = [(rows.fname(column) or b"").decode() for column in columns][6:]
    found = [[rows.get_value(row, column) for column in columns] for row in range(rows.ntuples)]
    return int(found[0][0] or 0) if found else 0, [_message(names, values) for values in found]


def _message(names: list[str], values: list[Any]) -> Message:
    _, position, partition, key, at_ms, body, *headers = values
    sent = [(name, value) for name, value in zip(names, headers, strict=True) if value is not None]
    value = bytes.fromhex(body[2:].decode())
    return (
        int(position),
        int(partition),
        {"timestamp": int(at_ms), "key": key, "value": value, "headers": sent},
    )


OUTGOING = query("outgoing")
MOVE_MARK = query("move_mark")
