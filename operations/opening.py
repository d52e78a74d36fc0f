"""Opening: the first record of an epoch in each partition; no reader takes one of a former epoch behind it.

Readers take (epoch, position) as one number, so that it fences in the topic itself who writes on in a former
epoch, however late: a process that was frozen, a request that Kafka held up, a primary that was cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count

from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.envelope import PARTITIONS, Actor, Envelope, partition_of
from caretrail_contracts.system import EpochBegan

from chassis.clock import clock_of
from chassis.config import Settings
from chassis.ids import derive
from chassis.kafka import producer, stopped
from chassis.store import Origin

ROOM = 10_000
"""Positions left free before an opening: for what was sent in the former epoch when the topic had been read.
A relay sends 2,000 events at most before it looks again."""

SENT_MAX_S = 30.0
"""How long Kafka may take for an opening."""


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


async def send(bootstrap: str, topic: str, records: Sequence[Record]) -> None:
    """Send an opening, durably. Raises KafkaError, TimeoutError."""
    async with asyncio.timeout(SENT_MAX_S):
        sender = await producer(bootstrap)
        try:
            sent = []
            for record in records:
                about, batch = record.envelope, sender.create_batch()
                at_ms = int(about.recorded_at.timestamp() * 1000)
                headers = to_headers(about, record.prev)
                batch.append(timestamp=at_ms, key=about.key.encode(), value=record.body, headers=headers)
                sent.append(await sender.send_batch(batch, topic, partition=about.partition))
            await asyncio.gather(*sent)
        finally:
            await stopped(sender)
