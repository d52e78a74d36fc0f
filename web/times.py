"""Days and times at the doors: in the one form of their schemas, never as seconds since 1970."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from caretrail_contracts.event import Instant
from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def _day(value: Any) -> date:
    if type(value) is date:
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:  # a day that no calendar has
        raise PydanticKnownError("date_type") from None
    raise PydanticKnownError("date_type")


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _TIME.fullmatch(value.upper()):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        raise PydanticKnownError("datetime_type") from None
    raise PydanticKnownError("datetime_type")


Day = Annotated[date, BeforeValidator(_day)]
"""A day as ``YYYY-MM-DD``."""

Moment = Annotated[Instant, BeforeValidator(_time)]
"""A date and time with its offset from UTC (RFC 3339)."""
