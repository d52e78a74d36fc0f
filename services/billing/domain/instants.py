"""The instants at which billing acts by itself: the same for everybody, so that they are few."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_CLOSES = time(6, tzinfo=UTC)
"""After the last group of a day in every American time zone but Hawaii's; what comes later decides again."""

CUTOFF_WEEKDAY, CUTOFF = 5, time(6, 30, tzinfo=UTC)
"""Saturday, half an hour after the week's last day closed."""

DEADLINE_PASSES = time(12, tzinfo=UTC)
"""By noon UTC the day before is over in every American time zone."""

_DAY = timedelta(days=1)


def day_close(after: datetime) -> datetime:
    """The first close of a day after an instant."""
    found = datetime.combine(after.astimezone(UTC).date(), DAY_CLOSES)
    return found if found > after else found + _DAY


def next_cutoff(after: datetime) -> datetime:
    """The first weekly cut-off after an instant."""
    day = after.astimezone(UTC).date()
    found = datetime.combine(day + _DAY * ((CUTOFF_WEEKDAY - day.weekday()) % 7), CUTOFF)
    return found if found > after else found + 7 * _DAY


def day_over(day: date) -> datetime:
    """An instant at which a day is over everywhere that matters."""
    return datetime.combine(day + _DAY, DEADLINE_PASSES)


def local_date(at: datetime, zone: str) -> date:
    """The date of an instant where it happened. Raises ZoneInfoNotFoundError."""
    return at.astimezone(ZoneInfo(zone)).date()
