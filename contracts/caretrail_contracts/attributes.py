"""Attributes of a CloudEvents message become an envelope; which one is broken is said by its header."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from .binding import Attributes, BrokenHeader, header_of
from .envelope import PARTITIONS, Actor, Envelope, Sensitivity
from .event import schema_uri

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


@lru_cache(maxsize=16_384)
def uuid_of(value: str) -> UUID | None:
    """Most come again: patients in all their events, a command's id as its events' correlation."""
    return UUID(value) if _UUID.fullmatch(value) else None


@lru_cache(maxsize=1_024)
def instant_of(value: str) -> datetime | None:
    if not _RFC3339.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # a month 13, or an offset that leaves the year 1
        return None


def envelope_of(found: Attributes) -> tuple[Envelope, int | None]:
    """The envelope and the position before it in its partition. Raises BrokenHeader."""
    h = _Reader(found)
    what, (where, who, sensitivity) = what_of(*map(found.get, WHAT)), who_of(*map(found.get, WHO))
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
    return envelope, h.number("prev", least=0) if "prev" in found else None


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
        if len(value) == 36 and (found := uuid_of(value)):  # what is longer is not kept in memory
            return found
        self.text(name)
        raise BrokenHeader(header_of(name), "a UUID")

    def time(self, name: str) -> datetime:
        value = self.found.get(name, "")
        if len(value) <= TIME_MAX and (found := instant_of(value)):  # what is longer is not kept in memory
            return found
        self.text(name)
        raise BrokenHeader(header_of(name), "an RFC 3339 time with its offset")

    def source(self) -> str:
        value = self.text("source", NAME_MAX)
        if not _SOURCE.fullmatch(value):
            raise BrokenHeader("ce_source", "urn:caretrail:SERVICE:CELL")
        return value

    def sensitivity(self) -> Sensitivity:
        told = self.text("sensitivity") if self.found.get("sensitivity") else ""
        return Sensitivity(told) if told in set(Sensitivity) else Sensitivity.PART2


WHAT = ("specversion", "datacontenttype", "type", "eventversion", "source", "epoch", "dataschema")
WHO = ("actorid", "actorrole", "purpose", "organisation", "program", "site", "sensitivity")


@lru_cache(maxsize=4_096)
def what_of(*values: str | None) -> tuple[str, int, str, int]:
    """Type, version, source and epoch, which all events of a type share, from the attributes of WHAT."""
    h = _Reader({name: value for name, value in zip(WHAT, values, strict=True) if value is not None})
    h.exactly("specversion", "1.0")
    if "datacontenttype" in h.found and h.text("datacontenttype").partition(";")[0].strip() != JSON:
        raise BrokenHeader("content-type", JSON)
    kind, version = h.text("type"), h.number("eventversion", least=1, most=SMALLINT_MAX)
    source, epoch = h.source(), h.number("epoch", least=0, most=INTEGER_MAX)
    if h.found.get("dataschema", "") not in ("", schema_uri(kind, version)):
        raise BrokenHeader("ce_dataschema", "the schema of ce_type and ce_eventversion")
    return kind, version, source, epoch


@lru_cache(maxsize=4_096)
def who_of(*values: str | None) -> tuple[tuple[str, str, str | None], tuple[Actor, str], Sensitivity]:
    """What an actor's events share, from the attributes of WHO: where, who and why, how far."""
    h = _Reader({name: value for name, value in zip(WHO, values, strict=True) if value is not None})
    who = Actor(h.text("actorid"), h.text("actorrole")), h.text("purpose")
    where = h.text("organisation"), h.text("program"), h.text("site") if h.found.get("site") else None
    return where, who, h.sensitivity()
