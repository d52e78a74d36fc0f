"""One realistic example of each event, the same on every machine: for golden files and documents.

Sealed values are made of fixed bytes under no key: they show the form and open to nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from .catalogue import SERVICES, name_of
from .envelope import Actor, Envelope, Purpose, Sensitivity, partition_of
from .event import Event
from .sealed import Sealed
from .story import BY_EVENT, BY_FIELD, example_id

_OF_TYPE: dict[Any, tuple[Any, ...]] = {
    bool: (True,),
    int: (1,),
    str: ("example", "EXAMPLE", "EX", "E", "10", "1", "1234567893", "0123456789abcdef" * 4),
    Decimal: ("210.00",),
    date: ("2026-03-09",),
    datetime: ("2026-03-09T14:00:00Z",),
    time: ("18:00:00",),
    type(None): (None,),
}
"""What a field takes that the story does not name, by its type."""


class NoExample(LookupError):
    """The story has no value that a field of an event can take."""

    def __init__(self, owner: str, field: str) -> None:
        super().__init__(
            f"{owner}: no example for the field {field}; name a value in caretrail_contracts/story.py"
        )


@cache
def example(event: type[Event]) -> Event:
    """The example of an event type. Raises NoExample."""
    return event.model_validate_json(json.dumps(_fields(event, name_of(event))))


def envelope_of(event: type[Event]) -> Envelope:
    """An envelope for the example, as the event's record would have it."""
    body = example(event)
    service = event.service if event.service in SERVICES else "intake"
    name = name_of(event)
    patient = getattr(body, "patient", None)
    stream = f"{service}-{example_id(name)}"
    return Envelope(
        id=example_id(f"event/{name}"),
        type=event.type(),
        version=event.version,
        source=f"urn:caretrail:{service}:main",
        epoch=1,
        position=1042,
        partition=partition_of(str(patient) if patient else stream),
        stream=stream,
        stream_version=1,
        occurred_at=datetime(2026, 3, 9, 14, tzinfo=UTC),
        recorded_at=datetime(2026, 3, 9, 14, tzinfo=UTC) + timedelta(milliseconds=12),
        organisation="caretrail",
        program="iop",
        site=None,
        patient=patient,
        actor=Actor("staff-7", "coordinator"),
        purpose=Purpose.TREATMENT.value,
        correlation_id=example_id("correlation"),
        causation_id=None,
        command_id=example_id(f"command/{name}"),
        sensitivity=Sensitivity.PART2,
    )


def _fields(model: type[BaseModel], owner: str) -> dict[str, Any]:
    return {name: _value(owner, name, field) for name, field in model.model_fields.items()}


def _value(owner: str, name: str, field: FieldInfo) -> Any:
    special = BY_EVENT.get(owner, {})
    if name in special:
        return special[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    check = TypeAdapter[Any](kind)
    for candidate in (*BY_FIELD.get(name, ()), *_by_type(name, field.annotation)):
        try:
            check.validate_json(json.dumps(candidate))
        except ValidationError:
            continue
        return candidate
    raise NoExample(owner, name)


def _by_type(name: str, kind: Any) -> tuple[Any, ...]:
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _by_type(name, inside[0])
    if origin in (Union, UnionType):
        return tuple(value for part in inside for value in _by_type(name, part))
    if origin is tuple:
        return tuple([value] for value in _by_type(name, inside[0]))
    if isinstance(kind, type) and issubclass(kind, Sealed):
        return (_sealed(kind),)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return (_fields(kind, kind.__name__),)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(member.value for member in kind)
    if kind is UUID:
        return (str(example_id(name)),)
    return _OF_TYPE.get(kind, ())


def _sealed(kind: type[Sealed[Any]]) -> dict[str, str]:
    inner = kind.content().__name__
    owner = "service:intake" if inner == "Document" else str(example_id("patient"))
    noise = hashlib.sha256(f"example of {inner}".encode()).digest()
    return {"kid": f"{owner}.1", "nonce": _base64(noise[:12]), "ct": _base64(noise + noise[:8])}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
