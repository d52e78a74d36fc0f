"""Weekly patterns: the meetings of a series, local times turned into UTC across daylight saving."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from caretrail_contracts.scheduling import GroupSeriesScheduled, Weekday

from services.scheduling.domain.refusals import EmptySeries, SeriesTooLong, UnknownTimeZone

SERIES_DAYS_MAX = 366
"""A series is decided in one piece: at most a daily one of a year."""

_ORDER = tuple(Weekday)

Meeting = tuple[datetime, datetime]
"""Start and end, in UTC."""


def zone_of(name: str) -> ZoneInfo:
    """The time zone. Raises UnknownTimeZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UnknownTimeZone from None


def local_date(at: datetime, zone: str) -> date:
    """The date on the wall at a moment."""
    return at.astimezone(zone_of(zone)).date()


def meetings(series: GroupSeriesScheduled) -> list[Meeting]:
    """Every meeting of a series, in order. Raises EmptySeries, SeriesTooLong, UnknownTimeZone.

    A local time that a change of the clocks skips is read with the offset before the gap, one that
    comes twice is the first of both (RFC 5545, section 3.3.5); that is what fold 0 means.
    """
    zone, length = zone_of(series.time_zone), timedelta(minutes=series.minutes)
    days = (series.last_on - series.first_on).days + 1
    if days > SERIES_DAYS_MAX:
        raise SeriesTooLong(days=days, days_max=SERIES_DAYS_MAX)
    starts = [datetime.combine(day, series.starts, zone).astimezone(UTC) for day in _days(series)]
    if not starts:
        raise EmptySeries
    return [(start, start + length) for start in starts]


def _days(series: GroupSeriesScheduled) -> Iterator[date]:
    day = series.first_on
    while day <= series.last_on:
        if _ORDER[day.weekday()] in series.weekdays:
            yield day
        day += timedelta(days=1)
