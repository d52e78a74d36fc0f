"""The records of a stage's topics, read by a plain client as an integrator would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from caretrail_contracts.envelope import PARTITIONS

from tests.journeys.records import Fact, Unsealing
from tests.journeys.stage import Stage

POLL_MS, READ_MAX_S = 1_000, 30


@dataclass(frozen=True)
class Message:
    """A record as a client gets it."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


async def records(stage: Stage) -> list[Message]:
    """Every record of the stage's topics, decompressed by the client."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.settings.kafka_bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        prefix = f"{stage.settings.topic_prefix}."
        names = [name for name in await consumer.topics() if name.startswith(prefix)]
        places = [TopicPartition(n, p) for n in names for p in range(PARTITIONS)]
        return await _read(consumer, places)
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> list[Message]:
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends, found = await consumer.end_offsets(places), list[Message]()
    async with asyncio.timeout(READ_MAX_S):
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                found += [Message(r.topic, r.key or b"", r.value or b"", tuple(r.headers)) for r in batch]
    return found


def published(stage: Stage, found: Iterable[Message]) -> set[Fact]:
    """The distinct events of these records, by their CloudEvents headers and opened bodies."""
    unsealing = Unsealing(stage)
    return {_fact(record, unsealing) for record in found}


def _fact(record: Message, unsealing: Unsealing) -> Fact:
    headers = {name.removeprefix("ce_"): value.decode() for name, value in record.headers}
    return Fact(
        headers["source"].split(":")[2],
        headers["stream"],
        int(headers["streamversion"]),
        headers["type"],
        headers["id"],
        datetime.fromisoformat(headers["time"]),
        datetime.fromisoformat(headers["recordedat"]),
        headers.get("site", ""),
        f"{headers['actorid']};{headers['actorrole']}",
        headers.get("causationid", ""),
        json.dumps(unsealing.opened(json.loads(record.value)), sort_keys=True),
    )
