"""How long an authorization lasts: the day its last unit is used, and when to ask for more."""

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from services.billing.domain.business_days import NO_HOLIDAYS, business_days_before


@dataclass(frozen=True, slots=True)
class AuthorizationRunway:
    """`exhausted_on` is None while the planned days do not use all units; `review_due` is a business day."""

    remaining: int
    exhausted_on: date | None
    ends_on: date
    review_due: date


def scheduled_days(start: date, weekdays: Collection[int], end: date) -> Iterator[date]:
    """Days from start to end, both included, on the given weekdays (Monday is 0)."""
    day = start
    while day <= end:
        if day.weekday() in weekdays:
            yield day
        day += timedelta(days=1)


def exhaustion_date(remaining: int, days: Iterable[date]) -> date | None:
    """The day that uses the last of `remaining` units, one a day, in date order; None when none does.

    With no unit left nothing can be exhausted any more: None too.
    """
    return next(islice(sorted(set(days)), remaining - 1, None), None) if remaining > 0 else None


def runway(
    remaining: int,
    days: Iterable[date],
    *,
    end: date,
    lead_business_days: int,
    holidays: Container[date] = NO_HOLIDAYS,
) -> AuthorizationRunway:
    """The forecast: days after the authorization's `end` do not burn it.

    Review is due `lead_business_days` before the earlier of exhaustion and end. The lead is the contract's;
    an urgent extension is decided within a day if asked for a day before the end (29 CFR 2560.503-1(f)(2)).
    """
    exhausted_on = exhaustion_date(remaining, (day for day in days if day <= end))
    stops = min(end, exhausted_on) if exhausted_on else end
    review_due = business_days_before(stops, lead_business_days, holidays)
    return AuthorizationRunway(remaining, exhausted_on, end, review_due)
