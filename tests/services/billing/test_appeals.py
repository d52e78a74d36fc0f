"""Appeal deadlines: days and months from notice or receipt, and how they roll (45 CFR 147.136(d)(2)(i))."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.appeals import AppealRegime, NoDisputeWindow, appeal_deadline, earliest
from services.billing.domain.business_days import (
    business_days_before,
    federal_holidays,
    is_business_day,
    on_or_after,
    on_or_before,
)

JANUARY_10 = date(2026, 1, 10)


@pytest.mark.parametrize(
    ("regime", "legal", "work_by"),
    [
        (AppealRegime.MEDICAID_PLAN, date(2026, 3, 11), date(2026, 3, 11)),
        (AppealRegime.MEDICARE_ADVANTAGE, date(2026, 3, 16), date(2026, 3, 16)),
        (AppealRegime.MEDICAID_FAIR_HEARING, date(2026, 5, 10), date(2026, 5, 8)),
        (AppealRegime.MEDICARE_REDETERMINATION, date(2026, 5, 10), date(2026, 5, 8)),
        (AppealRegime.ERISA_INTERNAL, date(2026, 7, 9), date(2026, 7, 9)),
    ],
)
def test_days_from_the_notice(regime: AppealRegime, legal: date, work_by: date) -> None:
    deadline = appeal_deadline(regime, notice=JANUARY_10)
    assert (deadline.legal, deadline.work_by) == (legal, work_by)


@pytest.mark.parametrize(
    ("notice", "legal"),
    [
        (date(2025, 10, 30), date(2026, 3, 2)),
        (date(2025, 10, 31), date(2026, 3, 2)),
        (date(2026, 3, 31), date(2026, 7, 31)),
        (date(2026, 5, 31), date(2026, 10, 1)),
    ],
)
def test_external_review_has_four_months_and_rolls_forward(notice: date, legal: date) -> None:
    assert appeal_deadline(AppealRegime.EXTERNAL_REVIEW, notice=notice).legal == legal


def test_a_holiday_rolls_like_a_weekend() -> None:
    holidays = federal_holidays(2026)
    deadline = appeal_deadline(AppealRegime.EXTERNAL_REVIEW, notice=date(2026, 3, 3), holidays=holidays)
    assert date(2026, 7, 3) in holidays  # the Fourth is a Saturday
    assert (deadline.legal, deadline.work_by) == (date(2026, 7, 6), date(2026, 7, 2))


def test_the_clock_starts_at_receipt_where_the_regime_says_so() -> None:
    received = date(2026, 1, 15)
    erisa = appeal_deadline(AppealRegime.ERISA_INTERNAL, notice=JANUARY_10, receipt=received)
    plan = appeal_deadline(AppealRegime.MEDICAID_PLAN, notice=JANUARY_10, receipt=received)
    assert (erisa.starts, plan.starts) == (received, JANUARY_10)
    assert earliest((erisa, plan)) is plan


def test_a_provider_dispute_follows_the_contract() -> None:
    dispute = appeal_deadline(AppealRegime.PROVIDER_DISPUTE, notice=JANUARY_10, contract_days=90)
    assert dispute.legal == date(2026, 4, 10)
    with pytest.raises(NoDisputeWindow):
        appeal_deadline(AppealRegime.PROVIDER_DISPUTE, notice=JANUARY_10)


def test_federal_holidays_of_2026() -> None:
    assert len(federal_holidays(2026)) == 11
    assert {date(2026, 5, 25), date(2026, 11, 26), date(2026, 1, 19)} < federal_holidays(2026)


days = st.dates(date(2024, 1, 1), date(2035, 1, 1))


@given(days, st.integers(0, 30))
def test_business_days_enclose_and_count(day: date, count: int) -> None:
    assert on_or_before(day) <= day <= on_or_after(day)
    earlier = business_days_before(day, count)
    between = [one for one in range(earlier.toordinal() + 1, day.toordinal() + 1)]
    worked = sum(is_business_day(date.fromordinal(one)) for one in between)
    assert worked in ((count, count - 1) if not is_business_day(day) else (count,))


@given(days, st.sampled_from(list(AppealRegime)))
def test_working_by_the_day_shown_is_never_late(notice: date, regime: AppealRegime) -> None:
    deadline = appeal_deadline(regime, notice=notice, contract_days=30)
    assert notice < deadline.work_by <= deadline.legal
    assert is_business_day(deadline.work_by)
