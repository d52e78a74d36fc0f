"""Ids, fields and values of events, as the wire documents them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from tests.faults.evidence import Evidence, Row

NAMESPACE = UUID("6f1a3b52-5f0c-5d3e-9c57-0f3f6a1e9b10")
"""Namespace of the project's name-based ids."""

UUID_CHARS = 36


def derive(*parts: object) -> str:
    """An id from its causes, as the project derives ids."""
    return str(uuid5(NAMESPACE, "|".join(map(str, parts))))


def command_of(operation: Row) -> str:
    """The id of a client's command."""
    actor = operation["actor"].partition(";")[0]
    return derive(operation["service"], actor, "POST", operation["path"], operation["key"])


def type_of(event: Row) -> str:
    """The last part of an event's type."""
    return str(event["type"]).rpartition(".")[2]


def subject_of(event: Row) -> str:
    """The id of what an event's stream is about."""
    return str(event["stream"][-UUID_CHARS:])


def fields_of(event: Row) -> dict[str, Any]:
    """An event's fields."""
    return dict(json.loads(event["body"]))


def facts(evidence: Evidence, service: str, *kinds: str) -> list[tuple[Row, str, dict[str, Any]]]:
    """Events of these types, in order: the row, the type and the fields."""
    found = ((event, type_of(event)) for event in evidence.stores[service]["events"])
    return [(event, kind, fields_of(event)) for event, kind in found if kind in kinds]


def instant(text: str) -> datetime:
    """A time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def same(value: Any) -> Any:
    """A value in one form: times in UTC, counts as text, nothing for what is null."""
    if isinstance(value, dict):
        return {name: same(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [same(each) for each in value]
    if isinstance(value, str):
        return _same_text(value)
    if isinstance(value, Decimal):
        return str(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _same_text(text: str) -> str:
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", text):
        return instant(text).isoformat()
    if re.fullmatch(r"\d\d:\d\d", text):
        return f"{text}:00"
    return text
