"""The wire: CloudEvents 1.0 in binary mode over Kafka, envelope as headers, event as JSON body."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from . import direct
from .attributes import JSON, envelope_of
from .binding import BrokenHeader as BrokenHeader
from .binding import read_message
from .envelope import Envelope
from .event import Event, model_of, schema_uri

Headers = list[tuple[str, bytes]]


class Record(NamedTuple):
    """An event as it travels: envelope, bytes, and the position before it in its partition.

    ``prev`` is None for the first record of an epoch in its partition.
    """

    envelope: Envelope
    body: bytes
    prev: int | None

    def decode(self) -> Event:
        """The event. Raises UnknownEvent for an unknown type, ValidationError for unfit bytes."""
        return model_of(self.envelope.type).from_bytes(self.body, self.envelope.version)


def _time(value: datetime) -> bytes:
    if value.tzinfo is None:
        raise ValueError("a time of the envelope has no offset from UTC")
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return utc.isoformat()[:-6].encode() + b"Z"


def to_headers(envelope: Envelope, prev: int | None) -> Headers:
    """The headers of an event."""
    e = envelope
    patient, cause = (str(id).encode() if id else None for id in (e.patient, e.causation_id))
    actor, role, purpose, site = (text.encode() for text in (*e.actor, e.purpose, e.site or ""))
    return headers_of(
        e.source, e.position, e.partition, e.key.encode(), e.type.encode(), e.version, e.epoch,
        actor, role, purpose, e.organisation.encode(), e.program.encode(), site, e.sensitivity.encode(),
        str(e.id).encode(), _time(e.occurred_at), e.stream.encode(), e.stream_version, _time(e.recorded_at),
        str(e.correlation_id).encode(), str(e.command_id).encode(), prev, patient, cause,
    )  # fmt: skip


def headers_of(
    source: str, position: int, partition: int, key: bytes, kind: bytes, version: int, epoch: int,
    actor: bytes, role: bytes, purpose: bytes, organisation: bytes, program: bytes, site: bytes,
    sensitivity: bytes, id: bytes, time: bytes, stream: bytes, stream_version: int, recorded: bytes,
    correlation: bytes, command: bytes, prev: int | None, patient: bytes | None, cause: bytes | None,
) -> Headers:  # fmt: skip
    """The headers of an event whose texts are bytes already.

    Positions are strings: CloudEvents integers have 32 bits.
    """
    found = [
        *_what(kind, version, source, epoch), ("ce_id", id), ("ce_time", time),
        ("ce_position", b"%d" % position), ("ce_partition", b"%d" % partition), ("ce_partitionkey", key),
        ("ce_stream", stream), ("ce_streamversion", b"%d" % stream_version), ("ce_recordedat", recorded),
        *_who(actor, role, purpose, organisation, program, site, sensitivity),
        ("ce_correlationid", correlation), ("ce_commandid", command),
    ]  # fmt: skip
    if prev is not None:
        found.append(("ce_prev", b"%d" % prev))
    if patient:
        found.append(("ce_patient", patient))
    if cause:
        found.append(("ce_causationid", cause))
    return found


@lru_cache(maxsize=4_096)
def _what(kind: bytes, version: int, source: str, epoch: int) -> Headers:
    """Headers that all events of a type share."""
    return [
        ("content-type", JSON.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_type", kind),
        ("ce_source", source.encode()),
        ("ce_dataschema", schema_uri(kind.decode(), version).encode()),
        ("ce_eventversion", b"%d" % version),
        ("ce_epoch", b"%d" % epoch),
    ]


@lru_cache(maxsize=4_096)
def _who(
    actor: bytes,
    role: bytes,
    purpose: bytes,
    organisation: bytes,
    program: bytes,
    site: bytes,
    sensitivity: bytes,
) -> Headers:
    """Headers that much of what an actor does has in common."""
    found = [
        ("ce_organisation", organisation),
        ("ce_program", program),
        ("ce_actorid", actor),
        ("ce_actorrole", role),
        ("ce_purpose", purpose),
        ("ce_sensitivity", sensitivity),
    ]
    return [*found, ("ce_site", site)] if site else found


def from_headers(headers: Iterable[tuple[str, bytes | None]], body: bytes) -> Record:
    """The record of a Kafka message, in binary or structured mode. Raises BrokenHeader."""
    headers = tuple(headers)
    if found := direct.envelope_of(headers):
        return Record(found[0], body, found[1])
    attributes, data = read_message(headers, body)
    envelope, prev = envelope_of(attributes)
    direct.learn(tuple(name for name, _ in headers))
    return Record(envelope, data, prev)
