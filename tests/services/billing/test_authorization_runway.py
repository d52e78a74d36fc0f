"""When an authorization runs out and review is due, in units, planned days and business days."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.authorization_runway import exhaustion_date, runway, scheduled_days

START, END = date(2026, 3, 2), date(2026, 6, 30)
MONDAY_WEDNESDAY_FRIDAY = (0, 2, 4)
PLANNED = tuple(scheduled_days(START, MONDAY_WEDNESDAY_FRIDAY, END))


@pytest.mark.parametrize(
    ("missed", "exhausted", "review"),
    [
        ((), date(2026, 3, 27), date(2026, 3, 24)),
        ((date(2026, 3, 11),), date(2026, 3, 30), date(2026, 3, 25)),
    ],
)
def test_twelve_days_from_the_second_of_march(
    missed: tuple[date, ...], exhausted: date, review: date
) -> None:
    days = [day for day in PLANNED if day not in missed]
    forecast = runway(12, days, end=END, lead_business_days=3)
    assert (forecast.exhausted_on, forecast.review_due) == (exhausted, review)


def test_an_end_before_exhaustion_sets_the_review() -> None:
    forecast = runway(12, PLANNED, end=date(2026, 3, 20), lead_business_days=3)
    assert (forecast.exhausted_on, forecast.review_due) == (None, date(2026, 3, 17))


def test_no_unit_left_exhausts_nothing() -> None:
    assert exhaustion_date(0, PLANNED) is None


@given(st.integers(1, 80), st.sets(st.sampled_from(PLANNED)))
def test_a_missed_day_never_brings_exhaustion_forward(units: int, missed: set[date]) -> None:
    planned, attended = exhaustion_date(units, PLANNED), exhaustion_date(units, set(PLANNED) - missed)
    assert attended is None or (planned is not None and planned <= attended)
