"""A day's charge by the payer contract: H0015 and 90853, per diem, discrete or held."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.domain.charging import (
    AttendedInterval,
    Break,
    ChargeDecision,
    DiscreteService,
    Fallback,
    HoldRule,
    PayerContract,
    Tier,
    billable_minutes,
    decide_day,
)

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
RATE, GROUP_RATE = Decimal("400.00"), Decimal("75.00")
IOP = PayerContract("H0015", RATE, fallback=Fallback.DISCRETE, discrete=DiscreteService("90853", GROUP_RATE))
STRICT = PayerContract("H0015", RATE)
MEDICARE = PayerContract("IOP", RATE, primary_services=frozenset({"90853", "90834"}))


def attended(start: int, end: int, code: str = "90853", **changes: object) -> AttendedInterval:
    """Minutes after nine."""
    fields = {"note_signed": True, "members": 8} | changes
    begin, finish = NINE + timedelta(minutes=start), NINE + timedelta(minutes=end)
    return AttendedInterval(begin, finish, code, **fields)  # type: ignore[arg-type]


def per_diem(minutes: int) -> ChargeDecision:
    return ChargeDecision(minutes, 1, "H0015", RATE)


@pytest.mark.parametrize(
    ("contract", "intervals", "decision"),
    [
        (IOP, [attended(0, 180)], per_diem(180)),
        (IOP, [attended(12, 180)], ChargeDecision(168, 1, "90853", GROUP_RATE)),
        (STRICT, [attended(12, 180)], ChargeDecision(168)),
        (IOP, [attended(0, 90), attended(100, 190)], per_diem(180)),
        (IOP, [attended(0, 60), attended(60, 180)], per_diem(180)),
        (STRICT, [attended(0, 100), attended(50, 150)], ChargeDecision(150)),
        (IOP, [attended(0, 180, members=13)], ChargeDecision(180, hold=HoldRule.GROUP_SIZE_EXCEEDED)),
        (IOP, [attended(0, 180, members=None)], per_diem(180)),
        (IOP, [attended(0, 180, note_signed=False)], ChargeDecision(180, hold=HoldRule.NOTE_UNSIGNED)),
        (IOP, [], ChargeDecision(0)),
        (
            MEDICARE,
            [attended(0, 50), attended(60, 110, "G0410")],
            ChargeDecision(100, 1, "IOP", RATE, tier=Tier.LOWER),
        ),
        (MEDICARE, [attended(0, 50, "G0410")], ChargeDecision(50, hold=HoldRule.NO_PRIMARY_SERVICE)),
        (
            MEDICARE,
            [attended(at, at + 45) for at in (0, 50, 100, 150)],
            ChargeDecision(180, 1, "IOP", RATE, tier=Tier.UPPER),
        ),
    ],
)
def test_a_day(contract: PayerContract, intervals: list[AttendedInterval], decision: ChargeDecision) -> None:
    assert decide_day(contract, intervals) == decision


def test_only_breaks_that_the_contract_excludes_are_taken_off() -> None:
    lunch = Break(NINE + timedelta(minutes=60), NINE + timedelta(minutes=90), "lunch")
    day = [attended(0, 200, breaks=(lunch,))]
    assert billable_minutes(day, frozenset({"lunch"})) == 170
    assert billable_minutes(day, frozenset()) == 200


def test_a_discrete_fallback_needs_its_service() -> None:
    with pytest.raises(ValueError, match="discrete"):
        PayerContract("H0015", RATE, fallback=Fallback.DISCRETE)


spans = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda span: attended(min(span), max(span)))


@given(st.lists(spans, max_size=6), st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=3))
def test_minutes_are_those_covered_and_not_paused(
    intervals: list[AttendedInterval], pauses: list[tuple[int, int]]
) -> None:
    breaks = tuple(
        Break(NINE + timedelta(minutes=a), NINE + timedelta(minutes=b), "lunch")
        for a, b in map(sorted, pauses)
    )
    day = [attended(0, 0, breaks=breaks), *intervals]
    inside = (NINE + timedelta(minutes=minute) for minute in range(500))
    counted = sum(
        any(one.start <= at < one.end for one in day) and not any(b.start <= at < b.end for b in breaks)
        for at in inside
    )
    assert billable_minutes(day, frozenset({"lunch"})) == counted
    assert billable_minutes([*day, *day], frozenset({"lunch"})) == counted
