"""The envelope of every event: who, when, where, why and in which order."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

PARTITIONS = 12
"""Partitions of every topic, fixed at birth: the key decides the partition for ever."""


class Sensitivity(StrEnum):
    """How far an event may travel; unknown is treated as part2 (42 CFR Part 2)."""

    NORMAL = "normal"
    PART2 = "part2"
    PSYCHOTHERAPY = "psychotherapy"


class Purpose(StrEnum):
    """Why somebody acts or looks: the purpose-of-use codes of HL7 v3 ActReason."""

    TREATMENT = "TREAT"
    PAYMENT = "HPAYMT"
    OPERATIONS = "HOPERAT"
    AUDIT = "HCOMPL"
    PATIENT_REQUEST = "PATRQT"
    PUBLIC_HEALTH = "PUBHLTH"


class Actor(NamedTuple):
    """Who acts: an id and the role acted in, such as ``coordinator`` or ``service``."""

    id: str
    role: str


class Envelope(NamedTuple):
    """What is known of an event beside its body.

    ``source`` names service and cell; ``position`` orders the events of a source and starts at 1;
    ``stream_version`` orders those of a stream and starts at 1. ``occurred_at`` is when it was true,
    ``recorded_at`` when it was learned. ``patient`` is a pseudonym, None where no patient is concerned.
    """

    id: UUID
    type: str
    version: int
    source: str
    epoch: int
    position: int
    partition: int
    stream: str
    stream_version: int
    occurred_at: datetime
    recorded_at: datetime
    organisation: str
    program: str
    site: str | None
    patient: UUID | None
    actor: Actor
    purpose: str
    correlation_id: UUID
    causation_id: UUID | None
    command_id: UUID
    sensitivity: Sensitivity

    @property
    def key(self) -> str:
        """What order is kept by: the patient, else the stream."""
        return _shown(self.patient) if self.patient else self.stream

    @property
    def service(self) -> str:
        """The service that recorded the event, as its source names it."""
        return _service_of(self.source)


@lru_cache(maxsize=1_024)
def _service_of(source: str) -> str:
    return source.split(":")[2]


@lru_cache(maxsize=16_384)
def _shown(id: UUID) -> str:
    return str(id)


@lru_cache(maxsize=1_024)
def topic_of(service: str, prefix: str = "caretrail") -> str:
    """The topic that carries a service's events."""
    return f"{prefix}.{service}.events"


@lru_cache(maxsize=65_536)
def partition_of(key: str) -> int:
    """The partition of a key: Kafka's murmur2 partitioner, as its Java client computes it.

    Algorithm: MurmurHash2 (Austin Appleby, public domain), seed 0x9747b28c, sign bit cleared.
    """
    return (_murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS


def _murmur2(data: bytes) -> int:
    length = len(data)
    mix, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ length) & mask
    for i in range(0, length - length % 4, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * mix) & mask
        k = ((k ^ (k >> 24)) * mix) & mask
        h = ((h * mix) & mask) ^ k
    if length % 4:
        tail = int.from_bytes(data[length - length % 4 :], "little")
        h = ((h ^ tail) * mix) & mask
    h = ((h ^ (h >> 13)) * mix) & mask
    return h ^ (h >> 15)
