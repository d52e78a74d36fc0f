"""A weekly pattern as instants: local times become UTC, across changes to and from summer time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from caretrail_contracts.scheduling import GroupSeriesScheduled, Weekday

SESSIONS_MAX = 400
"""Sessions of a series at most: a year of daily groups fits, a mistyped year does not."""

WEEKDAYS = tuple(Weekday)
"""In the order of ``date.weekday()``."""


def meetings(series: GroupSeriesScheduled) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each session, in UTC, oldest first.

    A local time that the clock skips is read with the offset before the gap; one that comes twice is the
    first of the two (RFC 5545, 3.3.5), which is what ``fold=0`` means.
    """
    zone, length = ZoneInfo(series.time_zone), timedelta(minutes=series.minutes)
    for on in dates(series):
        starts_at = datetime.combine(on, series.starts, zone).astimezone(UTC)
        yield starts_at, starts_at + length


def dates(series: GroupSeriesScheduled) -> Iterator[date]:
    """The local dates of the pattern, first and last included."""
    for day in range((series.last_on - series.first_on).days + 1):
        on = series.first_on + timedelta(days=day)
        if WEEKDAYS[on.weekday()] in series.weekdays:
            yield on


def local_date(at: datetime, time_zone: str) -> date:
    """The date of an instant in a zone."""
    return at.astimezone(ZoneInfo(time_zone)).date()
