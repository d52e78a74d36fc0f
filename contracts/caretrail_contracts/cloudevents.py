"""The wire: CloudEvents 1.0 in binary mode over Kafka, envelope as headers, event as JSON body."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from .binding import Attributes, header_of, read_message
from .binding import BrokenHeader as BrokenHeader
from .envelope import PARTITIONS, Actor, Envelope, Sensitivity
from .event import Event, model_of, schema_uri

Headers = list[tuple[str, bytes]]

JSON = "application/json"

BIGINT_MAX = 2**63 - 1
"""Positions are PostgreSQL bigints."""

INTEGER_MAX, SMALLINT_MAX = 2**31 - 1, 2**15 - 1
"""Epochs and versions of streams are its integers, versions of events its smallints."""

TEXT_MAX, NAME_MAX, TIME_MAX = 400, 120, 40
"""Characters of an attribute at most, of those that keys of tables are made of, and of times."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_UNKEPT = re.compile(r"[\0\ud800-\udfff]")
"""What PostgreSQL keeps in no text."""
_SOURCE = re.compile(r"urn:caretrail:[a-z][a-z0-9-]*:[A-Za-z0-9._-]+", re.ASCII)


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


@lru_cache(maxsize=16_384)
def _uuid(value: str) -> UUID | None:
    """Most come again: patients in all their events, a command's id as its events' correlation."""
    return UUID(value) if _UUID.fullmatch(value) else None


@lru_cache(maxsize=1_024)
def _instant(value: str) -> datetime | None:
    if not _RFC3339.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # a month 13, or an offset that leaves the year 1
        return None


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


class _Reader:
    """Reads attributes by name and says which header is broken."""

    def __init__(self, found: Attributes) -> None:
        self.found = found

    def text(self, name: str, most: int = TEXT_MAX) -> str:
        value = self.found.get(name)
        if not value:
            raise BrokenHeader(header_of(name), "a value, found none")
        if len(value) > most or _UNKEPT.search(value):
            raise BrokenHeader(
                header_of(name), f"at most {most} characters, none of them NUL or an unpaired surrogate"
            )
        return value

    def exactly(self, name: str, expected: str) -> None:
        if self.text(name) != expected:
            raise BrokenHeader(header_of(name), expected)

    def number(self, name: str, least: int, most: int = BIGINT_MAX) -> int:
        value = self.found.get(name, "")
        if (
            value.isascii()
            and value.isdigit()
            and len(value) <= 19
            and least <= (found := int(value)) <= most
        ):
            return found
        self.text(name)
        raise BrokenHeader(header_of(name), f"a whole number from {least} to {most}")

    def uuid(self, name: str) -> UUID:
        value = self.found.get(name, "")
        if len(value) == 36 and (found := _uuid(value)):  # what is longer is not kept in memory
            return found
        self.text(name)
        raise BrokenHeader(header_of(name), "a UUID")

    def time(self, name: str) -> datetime:
        value = self.found.get(name, "")
        if len(value) <= TIME_MAX and (found := _instant(value)):  # what is longer is not kept in memory
            return found
        self.text(name)
        raise BrokenHeader(header_of(name), "an RFC 3339 time with its offset")

    def source(self) -> str:
        value = self.text("source", NAME_MAX)
        if not _SOURCE.fullmatch(value):
            raise BrokenHeader("ce_source", "urn:caretrail:SERVICE:CELL")
        return value

    def sensitivity(self) -> Sensitivity:
        try:
            return Sensitivity(self.found.get("sensitivity", "part2"))
        except ValueError:
            return Sensitivity.PART2


def from_headers(headers: Iterable[tuple[str, bytes | None]], body: bytes) -> Record:
    """The record of a Kafka message, in binary or structured mode. Raises BrokenHeader."""
    found, data = read_message(headers, body)
    h = _Reader(found)
    what, (where, who, sensitivity) = _what_of(*map(found.get, WHAT)), _who_of(*map(found.get, WHO))
    fields = (
        h.uuid("id"),
        *what,
        h.number("position", least=1),
        h.number("partition", least=0, most=PARTITIONS - 1),
        h.text("stream", NAME_MAX),
        h.number("streamversion", least=1, most=INTEGER_MAX),
        h.time("time"),
        h.time("recordedat"),
        *where,
        h.uuid("patient") if "patient" in found else None,
        *who,
        h.uuid("correlationid"),
        h.uuid("causationid") if "causationid" in found else None,
        h.uuid("commandid"),
        sensitivity,
    )
    envelope = Envelope._make(fields)  # by place: twice as fast as by name
    if found.get("partitionkey") != envelope.key:
        h.text("partitionkey")
        raise BrokenHeader("ce_partitionkey", "the patient, else the stream")
    return Record(envelope, data, h.number("prev", least=0) if "prev" in found else None)


WHAT = ("specversion", "datacontenttype", "type", "eventversion", "source", "epoch", "dataschema")
WHO = ("actorid", "actorrole", "purpose", "organisation", "program", "site", "sensitivity")


@lru_cache(maxsize=4_096)
def _what_of(*values: str | None) -> tuple[str, int, str, int]:
    """Type, version, source and epoch, which all events of a type share, from the attributes of WHAT."""
    h = _Reader({name: value for name, value in zip(WHAT, values, strict=True) if value is not None})
    h.exactly("specversion", "1.0")
    if h.found.get("datacontenttype", JSON).partition(";")[0].strip() != JSON:
        raise BrokenHeader("content-type", JSON)
    kind, version = h.text("type"), h.number("eventversion", least=1, most=SMALLINT_MAX)
    source, epoch = h.source(), h.number("epoch", least=0, most=INTEGER_MAX)
    if h.found.get("dataschema", "") not in ("", schema_uri(kind, version)):
        raise BrokenHeader("ce_dataschema", "the schema of ce_type and ce_eventversion")
    return kind, version, source, epoch


@lru_cache(maxsize=4_096)
def _who_of(*values: str | None) -> tuple[tuple[str, str, str | None], tuple[Actor, str], Sensitivity]:
    """What an actor's events share, from the attributes of WHO: where, who and why, how far."""
    h = _Reader({name: value for name, value in zip(WHO, values, strict=True) if value is not None})
    who = Actor(h.text("actorid"), h.text("actorrole")), h.text("purpose")
    where = h.text("organisation"), h.text("program"), h.text("site") if h.found.get("site") else None
    return where, who, h.sensitivity()
