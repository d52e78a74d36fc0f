"""Appeal deadlines by regime: when the clock starts, how long it runs, and how it rolls off a weekend."""

from calendar import monthrange
from collections.abc import Container
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from services.billing.domain.business_days import NO_HOLIDAYS, on_or_after, on_or_before


class AppealRegime(StrEnum):
    """Whose rules an appeal follows, and which step of their ladder it is; APPEAL_RULES cites them."""

    ERISA_INTERNAL = "erisa_internal"
    EXTERNAL_REVIEW = "external_review"
    MEDICARE_REDETERMINATION = "medicare_redetermination"
    MEDICARE_RECONSIDERATION = "medicare_reconsideration"
    MEDICARE_HEARING = "medicare_hearing"
    MEDICARE_COUNCIL = "medicare_council"
    MEDICARE_COURT = "medicare_court"
    MEDICARE_ADVANTAGE = "medicare_advantage"
    MEDICAID_PLAN = "medicaid_plan"
    MEDICAID_FAIR_HEARING = "medicaid_fair_hearing"
    PROVIDER_DISPUTE = "provider_dispute"


class ClockStart(StrEnum):
    """Which date starts the clock."""

    NOTICE = "notice"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class AppealRule:
    """Days or calendar months to file. `rolls_forward`: a deadline on a weekend or holiday moves to the next
    business day. False, where no rule says so, can only file too early."""

    clock: ClockStart
    source: str
    days: int | None = None
    months: int | None = None
    rolls_forward: bool = False


@dataclass(frozen=True, slots=True)
class AppealDeadline:
    """`legal` is the last day by the regime; `work_by` the last business day that needs no rolling."""

    regime: AppealRegime
    starts: date
    legal: date
    work_by: date


class NoDisputeWindow(ValueError):
    """A provider payment dispute needs the contract's number of days: it is no constant."""


_RECEIPT, _NOTICE = ClockStart.RECEIPT, ClockStart.NOTICE
APPEAL_RULES = MappingProxyType(
    {
        AppealRegime.ERISA_INTERNAL: AppealRule(_RECEIPT, "29 CFR 2560.503-1(h)(3)(i)", days=180),
        AppealRegime.EXTERNAL_REVIEW: AppealRule(
            _RECEIPT, "45 CFR 147.136(d)(2)(i); 29 CFR 2590.715-2719(d)(2)(i)", months=4, rolls_forward=True
        ),
        AppealRegime.MEDICARE_REDETERMINATION: AppealRule(_RECEIPT, "42 CFR 405.942(a)", days=120),
        AppealRegime.MEDICARE_RECONSIDERATION: AppealRule(_RECEIPT, "42 CFR 405.962(a)", days=180),
        AppealRegime.MEDICARE_HEARING: AppealRule(_RECEIPT, "42 CFR 405.1002(a)(1)", days=60),
        AppealRegime.MEDICARE_COUNCIL: AppealRule(_RECEIPT, "42 CFR 405.1102(a)", days=60),
        AppealRegime.MEDICARE_COURT: AppealRule(_RECEIPT, "42 CFR 405.1130", days=60),
        AppealRegime.MEDICARE_ADVANTAGE: AppealRule(
            _NOTICE, "42 CFR 422.582(b), 65 days since 2025", days=65
        ),
        AppealRegime.MEDICAID_PLAN: AppealRule(_NOTICE, "42 CFR 438.402(c)(2)(ii)", days=60),
        AppealRegime.MEDICAID_FAIR_HEARING: AppealRule(_NOTICE, "42 CFR 438.408(f)(2)", days=120),
        AppealRegime.PROVIDER_DISPUTE: AppealRule(_NOTICE, "payer contract"),
    }
)


def appeal_deadline(
    regime: AppealRegime,
    *,
    notice: date,
    receipt: date | None = None,
    contract_days: int | None = None,
    holidays: Container[date] = NO_HOLIDAYS,
) -> AppealDeadline:
    """The last day to file. An unknown receipt counts from the notice, which is never later.

    Raises NoDisputeWindow for a provider dispute without `contract_days`.
    """
    rule = APPEAL_RULES[regime]
    starts = (receipt or notice) if rule.clock is ClockStart.RECEIPT else notice
    if rule.months is not None:
        last = _months_after(starts, rule.months)
    else:
        days = contract_days if regime is AppealRegime.PROVIDER_DISPUTE else rule.days
        if days is None:
            raise NoDisputeWindow("no days to dispute; expected the contract's number")
        last = starts + timedelta(days=days)
    legal = on_or_after(last, holidays) if rule.rolls_forward else last
    return AppealDeadline(regime, starts, legal, on_or_before(last, holidays))


def earliest(deadlines: tuple[AppealDeadline, ...]) -> AppealDeadline:
    """The clock that a work list shows; raises ValueError when there is none."""
    return min(deadlines, key=lambda deadline: (deadline.work_by, deadline.legal))


def _months_after(day: date, months: int) -> date:
    """The same day months later; where that month has none, the first day of the month after it."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    if day.day <= monthrange(year, month)[1]:
        return day.replace(year=year, month=month)
    return date(year + month // 12, month % 12 + 1, 1)
