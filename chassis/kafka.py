"""Kafka: the producer and the consumer with the settings that keep promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError
from caretrail_contracts.cloudevents import BrokenHeader, Record, from_headers
from caretrail_contracts.envelope import topic_of

log = structlog.get_logger(__name__)

RECORD_BYTES_MAX = 1_000_000
STOP_MAX_S, GRACE_S = 5.0, 2.0
"""How long a client may take to stop, and of that for what it has in hand, which is begun again then. Who is
let go of before he left his group keeps its partitions for minutes."""


def assert_fast() -> None:
    """Raise RuntimeError where aiokafka runs without its C extensions: sixty times slower, silently."""
    from aiokafka.record import default_records

    if "_crecords" not in default_records.DefaultRecordBatchBuilder.__module__:
        raise RuntimeError("aiokafka runs without its C extensions: install its wheel")


class Fetched(fetcher.PartitionRecords):  # type: ignore[misc]
    """What a fetch brought. A record with a header whose name is no UTF-8 comes as one without headers.

    aiokafka raises there, and again at each fetch: one such record would stop every partition. Of its batch,
    which has one sender, the rest comes so too, or not at all.
    """

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[ConsumerRecord]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            offset, self.next_fetch_offset = self.next_fetch_offset, self.next_fetch_offset + 1
            yield ConsumerRecord(*self._tp, offset, 0, 0, None, None, None, 0, 0, ())
            yield from self._unpack_records()


fetcher.PartitionRecords = Fetched


def record_of(message: ConsumerRecord) -> Record:
    """A message's record. Raises BrokenHeader, also where it claims another place than it came from."""
    record = from_headers(message.headers, message.value or b"")
    about = record.envelope
    if not message.topic.endswith(topic_of(about.service, "")):
        raise BrokenHeader("ce_source", "the service whose topic this is")
    if about.partition != message.partition:
        raise BrokenHeader("ce_partition", "the partition that this came from")
    if about.key.encode() != message.key:
        raise BrokenHeader("ce_partitionkey", "the key of the message")
    return record


async def producer(bootstrap: str) -> AIOKafkaProducer:
    """A started producer: idempotent, acknowledged by all replicas, without linger: batches come built."""
    found = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        max_batch_size=262_144,
        max_request_size=RECORD_BYTES_MAX,
        request_timeout_ms=15_000,
    )
    return await _started(found)


async def consumer(bootstrap: str) -> AIOKafkaConsumer:
    """A started consumer without a group: partitions are assigned, offsets kept in PostgreSQL."""
    found = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=500,
        max_partition_fetch_bytes=4_194_304,
    )
    return await _started(found)


async def _started(client: Any) -> Any:
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        # Not cancelled halfway, if it can be helped: aiokafka would leave its first connection open.
        await _within(starting)
        await stopped(client)
        raise
    return client


async def dropped(found: AIOKafkaProducer) -> None:
    """Stop a producer without what it did not send yet: its own ``stop`` waits until that is sent."""
    await _within(found._sender.close())
    unsent = found._message_accumulator
    # One that was to be sent again is looked for there at its end: aiokafka would log an error.
    unsent._pending_batches.update(*unsent._batches.values())
    unsent.fail_all(KafkaError("the producer was stopped"))
    for batch in unsent._pending_batches:
        for future in (batch.future, batch._drain_waiter):
            if not future.cancelled():
                future.exception()  # nobody may be left to hear of it
    await stopped(found)


async def stopped(client: Any) -> None:
    """Stop a client, and let go of one that cannot: half started, aiokafka's stop waits for ever.

    What it cancels within may come out of its stop as if its caller were cancelled: that is let go of, too.
    """
    if error := await _within(client.stop()):
        log.info("client_let_go", client=type(client).__name__, error=type(error).__name__)


async def _within(work: Awaitable[Any]) -> Any:
    """What comes of it in the time that a client may take, or the error."""
    done = asyncio.wait_for(asyncio.ensure_future(work), STOP_MAX_S)
    return (await asyncio.gather(done, return_exceptions=True))[0]
