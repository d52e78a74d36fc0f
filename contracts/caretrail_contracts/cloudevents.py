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
from .envelope import Actor, Envelope, Sensitivity
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
    """The headers of an event. Positions are strings: CloudEvents integers have 32 bits."""
    e = envelope
    key = e.key.encode()
    found = [
        *_what(e.type, e.version, e.source, e.epoch),
        ("ce_id", str(e.id).encode()),
        ("ce_time", _time(e.occurred_at)),
        ("ce_position", b"%d" % e.position),
        ("ce_partition", b"%d" % e.partition),
        ("ce_partitionkey", key),
        ("ce_stream", e.stream.encode()),
        ("ce_streamversion", b"%d" % e.stream_version),
        ("ce_recordedat", _time(e.recorded_at)),
        *_who(e.actor, e.purpose, e.organisation, e.program, e.site, e.sensitivity),
        ("ce_correlationid", str(e.correlation_id).encode()),
        ("ce_commandid", str(e.command_id).encode()),
    ]
    if prev is not None:
        found.append(("ce_prev", b"%d" % prev))
    if e.patient:
        found.append(("ce_patient", key))
    if e.causation_id:
        found.append(("ce_causationid", str(e.causation_id).encode()))
    return found


@lru_cache(maxsize=4_096)
def _what(type: str, version: int, source: str, epoch: int) -> Headers:
    """Headers that all events of a type share."""
    return [
        ("content-type", JSON.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_dataschema", schema_uri(type, version).encode()),
        ("ce_eventversion", b"%d" % version),
        ("ce_epoch", b"%d" % epoch),
    ]


@lru_cache(maxsize=4_096)
def _who(
    actor: Actor, purpose: str, organisation: str, program: str, site: str | None, sensitivity: Sensitivity
) -> Headers:
    """Headers that much of what an actor does has in common."""
    found = [
        ("ce_organisation", organisation.encode()),
        ("ce_program", program.encode()),
        ("ce_actorid", actor.id.encode()),
        ("ce_actorrole", actor.role.encode()),
        ("ce_purpose", purpose.encode()),
        ("ce_sensitivity", sensitivity.value.encode()),
    ]
    return [*found, ("ce_site", site.encode())] if site else found


def from_headers(headers: Iterable[tuple[str, bytes | None]], body: bytes) -> Record:
    """The record of a Kafka message, in binary or structured mode. Raises BrokenHeader."""
    headers = tuple(headers)
    if found := direct.envelope_of(headers):
        return Record(found[0], body, found[1])
    attributes, data = read_message(headers, body)
    envelope, prev = envelope_of(attributes)
    direct.learn(tuple(name for name, _ in headers))
    return Record(envelope, data, prev)
