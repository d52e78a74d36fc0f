"""Opening: the first record of an epoch in each partition; no reader takes one of a former epoch behind it.

Readers take (epoch, position) as one number, so that it fences in the topic itself who writes on in a former
epoch, however late: a process that was frozen, a request that Kafka held up, a primary that was cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import PARTITIONS, Actor, Envelope, partition_of
from caretrail_contracts.system import EpochBegan

from chassis.clock import clock_of
from chassis.config import Settings
from chassis.ids import derive
from chassis.kafka import producer, stopped
from chassis.relay import Message, packed
from chassis.store import Origin

ROOM = 10_000
"""Positions left free before an opening: for what was sent in the former epoch when the topic had been read.
A relay sends 2,000 events at most before it looks again."""

SENT_MAX_S = 30.0
"""How long Kafka may take for a page of what is sent before an opening, and with it."""


def opening(service: str, settings: Settings, epoch: int, head: int) -> list[Record]:
    """The opening of an epoch that follows on a head."""
    return [_first(service, settings, epoch, head + ROOM + number) for number in range(1, PARTITIONS + 1)]


def _first(service: str, settings: Settings, epoch: int, position: int) -> Record:
    """The record of an opening at a position: its stream is named so that its partition is the next one."""
    origin = Origin(service, settings.cell, settings.organisation, settings.program, settings.sensitivity)
    partition, now = position % PARTITIONS, clock_of(settings.clock_file).now()
    ids = (derive(service, "epoch", epoch, position, number) for number in count())
    id = next(id for id in ids if partition_of(f"epoch-{id}") == partition)
    event = EpochBegan(epoch=epoch)
    envelope = Envelope(
        id=derive(id, 0),
        type=event.type(),
        version=event.version,
        source=origin.source,
        epoch=epoch,
        position=position,
        partition=partition,
        stream=f"epoch-{id}",
        stream_version=1,
        occurred_at=now,
        recorded_at=now,
        organisation=origin.organisation,
        program=origin.program,
        site=None,
        patient=None,
        actor=Actor(f"service:{service}", "restore"),
        purpose="HOPERAT",
        correlation_id=id,
        causation_id=None,
        command_id=id,
        sensitivity=origin.sensitivity,
    )
    return Record(envelope, event.to_bytes(), None)


async def send(bootstrap: str, topic: str, pages: AsyncIterator[Sequence[Message]]) -> None:
    """Send messages, each page durably before the next. Raises KafkaError, TimeoutError."""
    async with asyncio.timeout(SENT_MAX_S):
        sender = await producer(bootstrap)
    try:
        async for page in pages:
            async with asyncio.timeout(SENT_MAX_S):
                batches = packed(sender, page)
                await asyncio.gather(
                    *[await sender.send_batch(batch, topic, partition=part) for part, batch in batches]
                )
    finally:
        await stopped(sender)
