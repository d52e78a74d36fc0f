"""Messages that no service wrote: repeated, reordered, unreadable, unknown, too large.

All but repeats come from a cell of their own, so that they take no place in the order of real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from tests.faults.evidence import PARTITIONS, SERVICES, Row, headers
from tests.faults.faults import Fault

SENT_MAX_S = 15.0
OVERSIZED_BYTES = 2_000_000
LARGE_BYTES = 900_000
TOO_LARGE = "MSG_SIZE_TOO_LARGE"
"""What the broker says against the larger one: that it does is what is tried."""

Headers = list[tuple[str, str | bytes | None]]

FOLDED = {
    "intake": "caretrail.intake.PatientAdmitted",
    "clinical": "caretrail.clinical.NoteSigned",
    "scheduling": "caretrail.scheduling.SessionAttended",
    "billing": "caretrail.billing.ChargeHeld",
}
"""A type of each service that another one folds or reacts to."""


class Press:
    """Writes forged messages into topics, past the proxy, and keeps a list of them."""

    def __init__(self, bootstrap: str, seed: int, injected: list[Row]) -> None:
        self._bootstrap = bootstrap
        self._draw = Random(f"forgeries {seed}")
        self._position = 0
        self._last = dict[tuple[str, int], str]()
        self.injected = injected

    def print(self, service: str, partition: int, key: str, told: Headers, body: bytes) -> tuple[int, str]:
        """Write a message; its offset, or -1 and what the broker said against it."""
        options: dict[str, Any] = {
            "bootstrap.servers": self._bootstrap,
            "log_level": 2,
            "acks": "all",
            "message.timeout.ms": 10_000,
            "message.max.bytes": 10 * OVERSIZED_BYTES,
        }
        producer, done = Producer(options), list[tuple[int, str]]()

        def delivered(error: Any, message: Any) -> None:
            done.append((-1, error.name()) if error else (message.offset(), ""))

        topic = f"caretrail.{service}.events"
        producer.produce(topic, body, key.encode(), partition, delivered, headers=list(told))
        producer.flush(SENT_MAX_S)
        return done[0] if done else (-1, "no answer")

    def forge(
        self, service: str, change: Callable[[dict[str, str]], None], body: bytes, kind: str
    ) -> tuple[str, bool]:
        """A message of a cell of its own, with its headers changed; what came of it, and whether anything."""
        self._position += 1
        id, patient = self._uuid(), self._uuid()
        partition = self._draw.randrange(PARTITIONS)
        about = _about(service, id, patient, self._position, partition)
        if before := self._last.get((service, partition)):
            about["prev"] = before
        change(about)
        sent: Headers = [(f"ce_{name}", value.encode()) for name, value in about.items()]
        sent.append(("content-type", b"application/json"))
        offset, said = self.print(service, partition, patient, sent, body)
        if offset >= 0:
            readable = kind != "headless"
            if readable:
                self._last[service, partition] = about["position"]
            self._note(service, partition, offset, id, kept=readable)
        told = said or f"{kind} in {service} [{partition}]@{offset}"
        return told, not said or said == TOO_LARGE

    def repeat(self, service: str, count: int, backwards: bool) -> int:
        """Write copies of what a partition holds already, in order or backwards; how many it took."""
        for partition in self._draw.sample(range(PARTITIONS), PARTITIONS):
            found = _tail(self._bootstrap, service, partition, count)
            if found:
                copies = reversed(found) if backwards else found
                return sum(self.print(service, partition, *message)[0] >= 0 for message in copies)
        return 0

    def _note(self, service: str, partition: int, offset: int, id: str, *, kept: bool) -> None:
        place = {"topic": service, "partition": partition, "offset": offset}
        self.injected.append({**place, "id": id, "kept": kept})

    def _uuid(self) -> str:
        return str(UUID(int=self._draw.getrandbits(128), version=4))


def _about(service: str, id: str, patient: str, position: int, partition: int) -> dict[str, str]:
    kind = FOLDED.get(service, f"caretrail.{service}.NeverHeardOf")
    return {
        "specversion": "1.0",
        "id": id,
        "type": kind,
        "source": f"urn:caretrail:{service}:faults",
        "time": "2026-03-02T12:00:00Z",
        "eventversion": "1",
        "epoch": "1",
        "position": str(position),
        "partition": str(partition),
        "partitionkey": patient,
        "stream": f"forged-{id}",
        "streamversion": "1",
        "recordedat": "2026-03-02T12:00:00Z",
        "organisation": "caretrail",
        "program": "iop",
        "patient": patient,
        "actorid": "forger",
        "actorrole": "forger",
        "purpose": "TREAT",
        "correlationid": id,
        "commandid": id,
        "sensitivity": "part2",
    }


def _tail(bootstrap: str, service: str, partition: int, count: int) -> list[tuple[str, Headers, bytes]]:
    """Some messages from the end of a partition: key, headers and body; forged ones apart."""
    options: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 2,
        "group.id": "forger",
        "enable.auto.commit": False,
    }
    consumer, topic = Consumer(options), f"caretrail.{service}.events"
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        if not end:
            return []
        consumer.assign([TopicPartition(topic, partition, max(0, end - count))])
        read = [message for message in consumer.consume(count, timeout=3.0) if not message.error()]
        return [
            ((one.key() or b"").decode(), _pairs(one.headers()), one.value() or b"")
            for one in read
            if headers(one.headers() or []).get("source", "").endswith(":main")
        ]
    except KafkaException:
        return []
    finally:
        consumer.close()


def _pairs(raw: Any) -> Headers:
    return list(raw or [])


@dataclass
class Forgery(Fault):
    """A message that no service wrote."""

    press: Press = field(default_factory=lambda: Press("", 0, []))

    async def strike(self) -> None:
        """Write it."""
        self.told, self.struck = await asyncio.to_thread(self.written, self.draw.choice(SERVICES))

    def written(self, service: str) -> tuple[str, bool]:
        """Write it into a service's topic; what came of it, and whether anything."""
        raise NotImplementedError


class Repeated(Forgery):
    """Messages that are there already, once more."""

    def written(self, service: str) -> tuple[str, bool]:
        """In order."""
        count = self.press.repeat(service, self.draw.randrange(1, 30), False)
        return f"{count} in {service}", count > 0


class Reordered(Forgery):
    """The same, backwards."""

    def written(self, service: str) -> tuple[str, bool]:
        """The last first."""
        count = self.press.repeat(service, self.draw.randrange(2, 30), True)
        return f"{count} in {service}", count > 1


class Poison(Forgery):
    """A body that no handler can read."""

    def written(self, service: str) -> tuple[str, bool]:
        """Of a type that others fold."""
        body = self.draw.choice((b"{}", b"no JSON", b'{"patient": 7}', b"", b"\xff\xfe"))
        return self.press.forge(service, lambda about: None, body, "poison")


class UnknownVersion(Forgery):
    """A version that nobody knows yet, with fields that nobody knows."""

    def written(self, service: str) -> tuple[str, bool]:
        """Far ahead of ours."""
        body = b'{"of_tomorrow": true}'
        return self.press.forge(service, lambda about: about.update(eventversion="99"), body, "version")


class UnknownType(Forgery):
    """A type that nobody knows yet."""

    def written(self, service: str) -> tuple[str, bool]:
        """The ledger keeps it, everybody else passes it over."""
        kind = f"caretrail.{service}.OfTomorrow"
        return self.press.forge(service, lambda about: about.update(type=kind), b"{}", "type")


class Headless(Forgery):
    """Headers that say too little."""

    def written(self, service: str) -> tuple[str, bool]:
        """One is taken away."""
        missing = self.draw.choice(("id", "source", "position", "specversion", "stream"))
        return self.press.forge(service, lambda about: about.update({missing: ""}), b"{}", "headless")


class Oversized(Forgery):
    """More than the topic takes, or as much as it just takes."""

    def written(self, service: str) -> tuple[str, bool]:
        """The broker refuses the larger one."""
        size = self.draw.choice((OVERSIZED_BYTES, LARGE_BYTES))
        return self.press.forge(service, lambda about: None, b"x" * size, f"{size} bytes")


FORGERIES: tuple[type[Forgery], ...] = (
    Repeated,
    Reordered,
    Poison,
    UnknownVersion,
    UnknownType,
    Headless,
    Oversized,
)
"""Every kind of forged message."""
