"""A Kafka message, decoded against the contracts as far as it can be, or with the place where it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from caretrail_contracts import catalogue
from caretrail_contracts.binding import PREFIX
from caretrail_contracts.cloudevents import BrokenHeader, Record, from_headers, to_headers
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event, UnknownEvent
from caretrail_contracts.sealed import Sealed, sealed_values
from pydantic import ValidationError

from cli import screen

KNOWN = len(catalogue.MODULES)
"""Modules of events that are loaded, so that every type is known."""

NOT_SHOWN = frozenset({"content-type", "specversion", "dataschema", "partitionkey", "prev"})
"""Attributes that say nothing of the event."""


class Message(Protocol):
    """What a Kafka client gives."""

    topic: str
    partition: int
    offset: int
    headers: Any
    value: bytes | None


@dataclass(slots=True)
class Decoded:
    """A message's envelope and event; ``trouble`` says what could not be read, and where."""

    topic: str
    partition: int
    offset: int
    envelope: Envelope | None = None
    event: Event | None = None
    fields: dict[str, Any] | None = None
    trouble: str = ""

    def sealed(self) -> dict[str, Sealed[Any]]:
        """The event's sealed values by JSON pointer."""
        return dict(sealed_values(self.event))

    def replace(self, pointer: str, value: Any) -> None:
        """Put a value where a sealed one was."""
        *path, last = pointer.strip("/").split("/")
        place: Any = self.fields
        for step in path:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[int(last) if isinstance(place, list) else last] = value

    def as_json(self) -> dict[str, Any]:
        """The message for programs: its CloudEvents attributes, the event, and where the message lies."""
        found: dict[str, Any] = {"topic": self.topic, "partition": self.partition, "offset": self.offset}
        if self.envelope:
            found = attributes_of(self.envelope) | {"service": self.envelope.service} | found
        if self.trouble:
            return found | {"problem": self.trouble}
        return found | {"event": self.fields}


def attributes_of(envelope: Envelope) -> dict[str, Any]:
    """An envelope as audit has it: attributes by their names on the wire, ``time`` as ``occurredat``."""
    found = {name.removeprefix(PREFIX): value.decode() for name, value in to_headers(envelope, None)}
    found["occurredat"] = found.pop("time")
    return {name: value for name, value in found.items() if name not in NOT_SHOWN}


def decode(message: Message) -> Decoded:
    """Decode a message; never raises."""
    found = Decoded(message.topic, message.partition, message.offset)
    try:
        record = from_headers(message.headers, message.value or b"")
    except BrokenHeader as error:
        found.trouble = str(error)
        return found
    found.envelope = record.envelope
    found.trouble = _read_event(found, record)
    return found


def _read_event(found: Decoded, record: Record) -> str:
    """Fill in the event; gives what is wrong with it, naming places and never values."""
    try:
        found.event = record.decode()
    except UnknownEvent:
        return f"type {record.envelope.type} is not in the contracts"
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        at = "".join(f"/{part}" for part in first["loc"]) or "(whole body)"
        return f"body at {at}: {first['msg']}"
    except LookupError:
        return f"the contracts cannot bring version {record.envelope.version} to today's"
    found.fields = found.event.model_dump(mode="json")
    for pointer in found.sealed():
        found.replace(pointer, screen.SEALED_TEXT)
    return ""
