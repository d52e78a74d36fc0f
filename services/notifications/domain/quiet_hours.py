"""Quiet hours: a patient's messages go out in the patient's day alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

OPENS = time(8)
CLOSES = time(21)
"""Messages may be posted from 8 a.m. until before 9 p.m. of the recipient's time (47 CFR 64.1200(c)(1))."""

UNKNOWN_ZONE = "America/New_York"
"""Where a zone's name is not known here: the contract's default for a person's zone."""


def zone_of(name: str | None) -> ZoneInfo:
    """The time zone of this IANA name, the default where the name is missing or not known."""
    try:
        return ZoneInfo(name or UNKNOWN_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(UNKNOWN_ZONE)


def is_day(at: datetime, zone: ZoneInfo) -> bool:
    """Whether messages may be posted at this instant."""
    return OPENS <= at.astimezone(zone).time() < CLOSES


def next_opening(at: datetime, zone: ZoneInfo) -> datetime:
    """The instant itself in the recipient's day, else the next 8 a.m. there, in UTC.

    A day on which a clock change skips 8 a.m. opens a day later.
    """
    if is_day(at, zone):
        return at
    local = at.astimezone(zone)
    day = local.date() if local.time() < OPENS else local.date() + timedelta(days=1)
    opening = datetime.combine(day, OPENS, zone).astimezone(UTC)
    if not is_day(opening, zone):
        return next_opening(opening + timedelta(days=1), zone)
    return opening
