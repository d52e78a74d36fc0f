"""The event: a frozen model with a service, a type name and a version, registered by both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the fields of one version into those of the next."""


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("expected a time with its offset from UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a time between the years 1 and 9999") from None


Instant = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time; given with any offset, kept in UTC, so that one instant has one form on the wire."""


UNFIT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What an upcast raises on fields that are not those of its version."""


class UnknownEvent(LookupError):
    """No contract is known for this event type."""


def _no_such_version(kind: type[BaseModel], version: int) -> ValidationError:
    """The error of bytes that an upcast cannot take; what it raised may hold values and is left out."""
    problem = PydanticCustomError("upcast", "expected the fields of version {version}", {"version": version})
    line = InitErrorDetails(type=problem, input=None)
    return ValidationError.from_exception_data(kind.__name__, [line], hide_input=True)


def schema_uri(type_name: str, version: int) -> str:
    """The CloudEvents dataschema of a version of an event type."""
    return f"urn:caretrail:schema:{type_name.removeprefix('caretrail.')}:v{version}"


class Value(BaseModel):
    """A frozen part of an event: equal by its fields, closed to unknown ones.

    Its validation errors hold no input, since they end up in logs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Event(Value):
    """Base of every event on the wire; the same object is the event in aggregate, store and topic.

    A subclass names its service and version: ``class ReferralReceived(Event, service="intake")``.
    ``upcasts[n]`` turns fields of version n into fields of version n + 1.
    """

    service: ClassVar[str] = ""
    version: ClassVar[int] = 1
    upcasts: ClassVar[dict[int, Upcast]] = {}

    def __init_subclass__(cls, *, service: str = "", version: int = 1, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.service = service
        cls.version = version
        if service:
            _CATALOGUE[cls.type()] = cls

    @classmethod
    def type(cls) -> str:
        """The CloudEvents type, such as ``caretrail.intake.ReferralReceived``."""
        return f"caretrail.{cls.service}.{cls.__name__}"

    @classmethod
    def schema_uri(cls) -> str:
        """The CloudEvents dataschema of this version."""
        return schema_uri(cls.type(), cls.version)

    def to_bytes(self) -> bytes:
        """The JSON of the event as it is stored once and sent unchanged."""
        return self.__pydantic_serializer__.to_json(self)

    @classmethod
    def from_bytes(cls, body: bytes, version: int) -> Self:
        """Read JSON of this or an older version (upcast), or of a newer one that only added fields.

        Raises pydantic's ValidationError when the bytes do not fit, naming places; LookupError when the
        model lacks an upcast, which is a mistake of the contract.
        """
        if version == cls.version:
            event: Self = cls.__pydantic_validator__.validate_json(body)
            return event
        if version > cls.version:
            return cls.model_validate_json(body, extra="ignore")
        upcasts = [cls.upcasts[step] for step in range(version, cls.version)]
        try:
            fields = json.loads(body)
            for upcast in upcasts:
                fields = upcast(fields)
        except UNFIT:
            raise _no_such_version(cls, version) from None
        return cls.model_validate(fields)


_CATALOGUE: dict[str, type[Event]] = {}


def catalogue() -> Iterator[type[Event]]:
    """Every known event model, by type name; see :mod:`caretrail_contracts.catalogue` to load all."""
    return iter(event for _, event in sorted(_CATALOGUE.items()))


def model_of(type_name: str) -> type[Event]:
    """The model of a CloudEvents type. Raises UnknownEvent."""
    try:
        return _CATALOGUE[type_name]
    except KeyError:
        raise UnknownEvent(type_name) from None
