"""Business days: Monday to Friday less the holidays that the caller names."""

from collections.abc import Container
from datetime import date, timedelta

NO_HOLIDAYS: frozenset[date] = frozenset()
_DAY = timedelta(days=1)
_MONDAY, _THURSDAY, _SATURDAY = 0, 3, 5
_WEEKEND = (5, 6)


def is_business_day(day: date, holidays: Container[date] = NO_HOLIDAYS) -> bool:
    """True from Monday to Friday, holidays excepted."""
    return day.weekday() not in _WEEKEND and day not in holidays


def on_or_before(day: date, holidays: Container[date] = NO_HOLIDAYS) -> date:
    """The day, or the last business day before it."""
    while not is_business_day(day, holidays):
        day -= _DAY
    return day


def on_or_after(day: date, holidays: Container[date] = NO_HOLIDAYS) -> date:
    """The day, or the first business day after it."""
    while not is_business_day(day, holidays):
        day += _DAY
    return day


def business_days_before(day: date, count: int, holidays: Container[date] = NO_HOLIDAYS) -> date:
    """The business day with `count` business days from it (exclusive) to `day` (inclusive)."""
    for _ in range(count):
        day = on_or_before(day - _DAY, holidays)
    return day


def federal_holidays(year: int) -> frozenset[date]:
    """The eleven of 5 U.S.C. 6103(a), with the day they are observed (Saturday: Friday; Sunday: Monday)."""
    fixed = (date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25))
    floating = (
        _nth_weekday(year, 1, _MONDAY, 3),
        _nth_weekday(year, 2, _MONDAY, 3),
        _nth_weekday(year, 6, _MONDAY, 1) - 7 * _DAY,  # the last Monday of May
        _nth_weekday(year, 9, _MONDAY, 1),
        _nth_weekday(year, 10, _MONDAY, 2),
        _nth_weekday(year, 11, _THURSDAY, 4),
    )
    return frozenset((*map(_observed, fixed), *floating))


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _observed(day: date) -> date:
    if day.weekday() in _WEEKEND:
        return day - _DAY if day.weekday() == _SATURDAY else day + _DAY
    return day
