"""The wire: CloudEvents 1.0 in binary mode over Kafka, envelope as headers, event as JSON body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from .envelope import Actor, Envelope, Sensitivity
from .event import Event, model_of

Headers = list[tuple[str, bytes]]


class BrokenHeader(ValueError):
    """A CloudEvents header is missing or cannot be read; the message names it, never its value."""

    def __init__(self, header: str, expected: str) -> None:
        super().__init__(f"header {header}: expected {expected}")
        self.header, self.expected = header, expected


@dataclass(frozen=True, slots=True)
class Record:
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
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()


def to_headers(envelope: Envelope, prev: int | None) -> Headers:
    """The headers of an event. Positions are strings: CloudEvents integers have 32 bits."""
    e = envelope
    name = e.type.removeprefix("caretrail.")
    headers: list[tuple[str, bytes | None]] = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(e.id).encode()),
        ("ce_type", e.type.encode()),
        ("ce_source", e.source.encode()),
        ("ce_time", _time(e.occurred_at)),
        ("ce_dataschema", f"urn:caretrail:schema:{name}:v{e.version}".encode()),
        ("ce_eventversion", str(e.version).encode()),
        ("ce_epoch", str(e.epoch).encode()),
        ("ce_position", str(e.position).encode()),
        ("ce_prev", None if prev is None else str(prev).encode()),
        ("ce_partition", str(e.partition).encode()),
        ("ce_partitionkey", e.key.encode()),
        ("ce_stream", e.stream.encode()),
        ("ce_streamversion", str(e.stream_version).encode()),
        ("ce_recordedat", _time(e.recorded_at)),
        ("ce_organisation", e.organisation.encode()),
        ("ce_program", e.program.encode()),
        ("ce_site", e.site.encode() if e.site else None),
        ("ce_patient", str(e.patient).encode() if e.patient else None),
        ("ce_actorid", e.actor.id.encode()),
        ("ce_actorrole", e.actor.role.encode()),
        ("ce_purpose", e.purpose.encode()),
        ("ce_correlationid", str(e.correlation_id).encode()),
        ("ce_causationid", str(e.causation_id).encode() if e.causation_id else None),
        ("ce_commandid", str(e.command_id).encode()),
        ("ce_sensitivity", e.sensitivity.value.encode()),
    ]
    return [(key, value) for key, value in headers if value is not None]


class _Reader:
    """Reads headers by name and says which one is broken."""

    def __init__(self, headers: Iterable[tuple[str, bytes]]) -> None:
        self.found = dict(headers)

    def text(self, name: str) -> str:
        value = self.maybe(name)
        if value is None:
            raise BrokenHeader(name, "a value, found none")
        return value

    def maybe(self, name: str) -> str | None:
        value = self.found.get(name)
        try:
            return None if value is None else value.decode()
        except UnicodeDecodeError:
            raise BrokenHeader(name, "UTF-8") from None

    def number(self, name: str) -> int:
        value = self.text(name)
        if not (value.isascii() and value.isdigit()):
            raise BrokenHeader(name, "a whole number")
        return int(value)

    def uuid(self, name: str) -> UUID:
        try:
            return UUID(self.text(name))
        except ValueError:
            raise BrokenHeader(name, "a UUID") from None

    def time(self, name: str) -> datetime:
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise BrokenHeader(name, "an RFC 3339 time") from None
        if value.tzinfo is None:
            raise BrokenHeader(name, "a time with its offset")
        return value.astimezone(UTC)

    def sensitivity(self) -> Sensitivity:
        try:
            return Sensitivity(self.maybe("ce_sensitivity") or "part2")
        except ValueError:
            return Sensitivity.PART2


def from_headers(headers: Iterable[tuple[str, bytes]], body: bytes) -> Record:
    """The record of a Kafka message. Raises BrokenHeader."""
    h = _Reader(headers)
    if h.text("ce_specversion") != "1.0":
        raise BrokenHeader("ce_specversion", "1.0")
    envelope = Envelope(
        id=h.uuid("ce_id"),
        type=h.text("ce_type"),
        version=h.number("ce_eventversion"),
        source=h.text("ce_source"),
        epoch=h.number("ce_epoch"),
        position=h.number("ce_position"),
        partition=h.number("ce_partition"),
        stream=h.text("ce_stream"),
        stream_version=h.number("ce_streamversion"),
        occurred_at=h.time("ce_time"),
        recorded_at=h.time("ce_recordedat"),
        organisation=h.text("ce_organisation"),
        program=h.text("ce_program"),
        site=h.maybe("ce_site"),
        patient=h.uuid("ce_patient") if "ce_patient" in h.found else None,
        actor=Actor(h.text("ce_actorid"), h.text("ce_actorrole")),
        purpose=h.text("ce_purpose"),
        correlation_id=h.uuid("ce_correlationid"),
        causation_id=h.uuid("ce_causationid") if "ce_causationid" in h.found else None,
        command_id=h.uuid("ce_commandid"),
        sensitivity=h.sensitivity(),
    )
    return Record(envelope, body, h.number("ce_prev") if "ce_prev" in h.found else None)
