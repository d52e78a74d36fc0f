"""Which calendar dates are possible at a time. Dates are local ones of the Americas: never ahead of UTC's."""

from __future__ import annotations

from datetime import date, datetime, timedelta

FURTHEST_BEHIND = timedelta(hours=12)
"""No zone is further behind UTC: what happened now is dated no earlier than this."""


def is_future(day: date, at: datetime) -> bool:
    """Whether a date has not begun anywhere in the program's reach."""
    return day > at.date()


AGE_MAX = timedelta(days=130 * 366)
"""Nobody is older."""


def is_birth_date(day: date, at: datetime) -> bool:
    """Whether a living person can have been born on this day."""
    return at.date() - AGE_MAX <= day <= at.date()


def earliest_local(at: datetime) -> date:
    """The earliest local date that a moment can have."""
    return (at - FURTHEST_BEHIND).date()
