"""Kafka alone, through aiokafka: an idempotent producer, and the way there and back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter, time_ns
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.envelope import PARTITIONS

Message = tuple[int, bytes, bytes, list[tuple[str, bytes]], int]
"""Partition, key, value, headers, time: what the relay sends."""

WAYS = ("send", "batches")
GROUP = 2_000
"""Records that are sent before they are awaited."""

BATCH_BYTES = 262_144


def messages(records: Sequence[Record]) -> list[Message]:
    """The bytes of records, ready to be sent."""
    return [
        (
            record.envelope.partition,
            record.envelope.key.encode(),
            record.body,
            to_headers(record.envelope, record.prev),
            int(record.envelope.recorded_at.timestamp() * 1000),
        )
        for record in records
    ]


async def send_rate(bootstrap: str, topic: str, found: Sequence[Message], way: str) -> float:
    """Records a second, each acknowledged by all replicas before the end."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=5 if way == "send" else 0,
        max_batch_size=BATCH_BYTES,
        max_request_size=1_000_000,
    )
    await producer.start()
    try:
        await producer.partitions_for(topic)
        began = perf_counter()
        await (_send(producer, topic, found) if way == "send" else _batches(producer, topic, found))
        return len(found) / (perf_counter() - began)
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, found: Sequence[Message]) -> None:
    for begin in range(0, len(found), GROUP):
        sent = [
            await producer.send(topic, value=value, key=key, partition=part, headers=headers, timestamp_ms=at)
            for part, key, value, headers, at in found[begin : begin + GROUP]
        ]
        await asyncio.gather(*sent)


async def _batches(producer: AIOKafkaProducer, topic: str, found: Sequence[Message]) -> None:
    """Whole batches, built for each partition by hand."""
    builders: dict[int, Any] = {}
    sent = []
    for part, key, value, headers, at in found:
        builder = builders.get(part) or builders.setdefault(part, producer.create_batch())
        if builder.append(key=key, value=value, headers=headers, timestamp=at) is None:
            sent.append(await producer.send_batch(builder, topic, partition=part))
            builder = builders[part] = producer.create_batch()
            builder.append(key=key, value=value, headers=headers, timestamp=at)
    for part, builder in builders.items():
        sent.append(await producer.send_batch(builder, topic, partition=part))
    await asyncio.gather(*sent)


async def round_trips_ms(
    bootstrap: str, topic: str, message: Message, rate: float, seconds: float
) -> list[float]:
    """How long records take from ``send`` to ``getmany``, at a steady rate, over every partition."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", linger_ms=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await producer.start()
    await consumer.start()
    total = max(1, int(rate * seconds))
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        await consumer.seek_to_end()
        async with asyncio.TaskGroup() as group:
            arrived = group.create_task(_arrived(consumer, total))
            group.create_task(_steadily(producer, topic, message, rate, total))
        return arrived.result()
    finally:
        await producer.stop()
        await consumer.stop()


async def _steadily(
    producer: AIOKafkaProducer, topic: str, message: Message, rate: float, total: int
) -> None:
    _, key, value, headers, _ = message
    due, sent = perf_counter(), []
    for number in range(total):
        await asyncio.sleep(max(0.0, due - perf_counter()))
        stamped = [*headers, ("sent", str(time_ns()).encode())]
        part = number % PARTITIONS
        sent.append(await producer.send(topic, value=value, key=key, partition=part, headers=stamped))
        due += 1 / rate
    await asyncio.gather(*sent)


async def _arrived(consumer: AIOKafkaConsumer, total: int) -> list[float]:
    times: list[float] = []
    while len(times) < total:
        for found in (await consumer.getmany(timeout_ms=500)).values():
            now = time_ns()
            times += [(now - int(dict(message.headers)["sent"])) / 1e6 for message in found]
    return times
