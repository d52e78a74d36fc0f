"""No day of service is passed over: what cannot be charged is held, with its reason, in the hold queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date

import pytest
from caretrail_contracts.billing import ChargeHeld
from caretrail_contracts.scheduling import SessionClosed

from services.billing.commands.contracts import AgreeContract
from services.billing.domain.authorization import Action
from services.billing.domain.charging import HoldRule
from tests.services.billing.builders import (
    ADMISSION,
    GROUP,
    GROUP_SCHEDULED,
    Billing,
    answer,
    session_of,
    terms,
)

MONDAY = date(2026, 3, 9)
Setting = Callable[[], Awaitable[Billing]]


async def without_coverage() -> Billing:
    billing = Billing()
    await billing.learn(GROUP_SCHEDULED)
    return billing


async def without_contract() -> Billing:
    billing = Billing()
    await billing.learn(GROUP_SCHEDULED, ADMISSION)
    return billing


async def with_a_crowd() -> Billing:
    billing = await Billing().authorized()
    closed = SessionClosed(session=session_of(MONDAY), group=GROUP, participant_count=13, minutes=180)
    billing.know(closed)
    return billing


async def without_diagnosis() -> Billing:
    billing = Billing()
    await billing.do(AgreeContract(terms=terms()))
    await billing.learn(GROUP_SCHEDULED, ADMISSION)
    return billing


async def denied() -> Billing:
    billing = await Billing().contracted()
    await billing.do(answer(Action.NOT_CERTIFIED))
    return billing


HELD: list[tuple[Setting, date, int, bool, HoldRule]] = [
    (without_coverage, MONDAY, 180, True, HoldRule.COVERAGE_MISSING),
    (without_contract, MONDAY, 180, True, HoldRule.CONTRACT_MISSING),
    (with_a_crowd, MONDAY, 180, True, HoldRule.GROUP_SIZE_EXCEEDED),
    (without_diagnosis, MONDAY, 180, True, HoldRule.DIAGNOSIS_MISSING),
    (denied, MONDAY, 180, True, HoldRule.AUTHORIZATION_DENIED),
    (lambda: Billing().contracted(), MONDAY, 180, True, HoldRule.AUTHORIZATION_PENDING),
    (lambda: Billing().authorized(), date(2026, 6, 1), 180, True, HoldRule.AUTHORIZATION_ELAPSED),
    (lambda: Billing().authorized(units=0), MONDAY, 180, True, HoldRule.AUTHORIZATION_EXHAUSTED),
    (lambda: Billing().authorized(), MONDAY, 180, False, HoldRule.NOTE_UNSIGNED),
    (lambda: Billing().authorized(), MONDAY, 179, True, HoldRule.MINUTES_SHORT),
]


@pytest.mark.parametrize(("setting", "day", "minutes", "note", "rule"), HELD, ids=[row[-1] for row in HELD])
async def test_what_cannot_be_charged_is_held_and_queued(
    setting: Setting, day: date, minutes: int, note: bool, rule: HoldRule
) -> None:
    billing = await setting()
    outcome = await billing.day(day, minutes, note=note)
    assert ChargeHeld(rule=rule, minutes=minutes) in outcome.events
    [row] = billing.rows("charge_days")
    assert (row["status"], row["rule"], row["service_date"]) == ("held", rule, day)
    assert row["held_since"]
