"""The JSON that billing asks with: authorization requests and appeals, checked key by key."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any


class UnreadableRequest(ValueError):
    """The file is no request that the payer understands."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Units of a service for a member between two days, both included."""

    request: str
    member_id: str
    service_code: str
    units: int
    unit_type: str
    starts: date
    ends: date
    review: str

    @property
    def content(self) -> tuple[str, ...]:
        """What the decision follows."""
        span = (self.starts.isoformat(), self.ends.isoformat())
        return (self.request, self.service_code, str(self.units), self.unit_type, *span, self.review)


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal of a claim, named by the provider's claim id."""

    appeal: str
    claim: str
    level: str
    grounds: str


def read_authorization_request(data: bytes) -> AuthorizationRequest:
    """Raises UnreadableRequest, naming the key."""
    record = _object(data)
    review = _text(record, "review")
    units = record.get("units")
    if review not in ("initial", "concurrent"):
        raise UnreadableRequest("/review: expected initial or concurrent")
    if not isinstance(units, int) or isinstance(units, bool) or units < 1:
        raise UnreadableRequest("/units: expected a number of at least 1")
    starts, ends = _day(record, "from"), _day(record, "to")
    if ends < starts:
        raise UnreadableRequest("/to: expected a day not before /from")
    texts = {key: _text(record, key) for key in ("request", "member_id", "service_code", "unit_type")}
    return AuthorizationRequest(**texts, units=units, starts=starts, ends=ends, review=review)


def read_appeal(data: bytes) -> Appeal:
    """Raises UnreadableRequest, naming the key."""
    record = _object(data)
    level = record.get("level")
    if isinstance(level, bool) or not isinstance(level, (int, str)) or not str(level):
        raise UnreadableRequest("/level: expected a number or a name")
    grounds = str(record.get("grounds") or "")
    return Appeal(_text(record, "appeal"), _text(record, "claim"), str(level), grounds)


def _object(data: bytes) -> dict[str, Any]:
    try:
        record = json.loads(data)
    except ValueError as error:
        raise UnreadableRequest("expected JSON") from error
    if not isinstance(record, dict):
        raise UnreadableRequest("expected a JSON object")
    return record


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise UnreadableRequest(f"/{key}: expected a text")
    return value


def _day(record: dict[str, Any], key: str) -> date:
    try:
        return date.fromisoformat(_text(record, key))
    except ValueError as error:
        raise UnreadableRequest(f"/{key}: expected a date, YYYY-MM-DD") from error
