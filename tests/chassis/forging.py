"""Messages on a topic that no service sent: well formed in all but what a test spoils."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from caretrail_contracts.cloudevents import Headers, to_headers
from caretrail_contracts.envelope import partition_of, topic_of
from caretrail_contracts.examples import envelope_of, example
from caretrail_contracts.intake import ReferralReceived

from chassis.kafka import producer
from tests.running import Running

SOURCE = b"urn:caretrail:intake:forged"
"""A cell of intake's that does not run: what is claimed in its name shadows nobody's positions."""


def patient_of(partition: int, *, but: bool = False) -> UUID:
    """A new patient whose events travel in this partition, or in any but this one."""
    while True:
        found = uuid4()
        if (partition_of(str(found)) == partition) is not but:
            return found


def headers(patient: UUID, number: int, /, **changes: bytes | None) -> Headers:
    """The headers of a patient's referral, with attributes changed, or left out where None."""
    key = str(patient)
    good: dict[str, bytes | None] = dict(to_headers(envelope_of(ReferralReceived), None))
    good |= {"ce_" + name: value.encode() for name, value in {"patient": key, "partitionkey": key}.items()}
    good |= {"ce_source": SOURCE, "ce_position": b"%d" % number, "ce_id": str(uuid4()).encode()}
    good |= {"ce_partition": b"%d" % partition_of(key)}
    good |= {name if name == "content-type" else "ce_" + name: value for name, value in changes.items()}
    return [(name, value) for name, value in good.items() if value is not None]


def body(patient: UUID) -> bytes:
    """The body of a patient's referral."""
    return example(ReferralReceived).model_copy(update={"patient": patient, "referral": patient}).to_bytes()


class Bytes(str):
    """A header's name whose bytes on the wire are no UTF-8."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Those bytes."""
        return b"\xff\xfe"


Send = Callable[..., Any]


@asynccontextmanager
async def forger(run: Running) -> AsyncIterator[Send]:
    """Sends messages to intake's topic: ``await send(partition, key, headers, body)``."""
    sender: AIOKafkaProducer = await producer(run.settings.kafka_bootstrap)
    topic = topic_of("intake", run.settings.topic_prefix)

    async def send(partition: int, key: str, headers: Headers, value: bytes | None) -> None:
        await sender.send_and_wait(topic, value, key.encode(), partition, headers=headers)

    try:
        yield send
    finally:
        await sender.stop()
