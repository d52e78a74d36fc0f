"""From attendance and notes to charges: what is captured, what is held and why, in any order of the facts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from caretrail_contracts.billing import (
    AttendanceCounted,
    AuthorizationDenied,
    AuthorizationExhausted,
    AuthorizationRequested,
    AuthorizationRunningLow,
    AuthorizationUnitConsumed,
    AuthorizationUnitReleased,
    ChargeCaptured,
    ChargeDayOpened,
    ChargeHeld,
    ChargeVoided,
    CoverageRegistered,
    NoteCounted,
)
from caretrail_contracts.clinical import NoteWithdrawn
from caretrail_contracts.scheduling import AttendanceCorrected
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.command import Row
from services.billing.commands.contracts import AgreeContract, RequestAuthorization
from services.billing.domain.authorization import Action
from tests.services.billing.builders import (
    ADMISSION,
    ADMITTED,
    ANA,
    EPISODE,
    GROUP_SCHEDULED,
    Billing,
    answer,
    attended,
    diagnosis,
    only,
    scheduled,
    session_of,
    signed,
    starts,
    terms,
)

MONDAY = date(2026, 3, 9)


async def test_an_admission_registers_coverage_and_asks_for_authorization() -> None:
    billing = Billing()
    await billing.do(AgreeContract(terms=terms()))
    outcome = await billing.learn(ADMISSION)
    outcome.then_types(CoverageRegistered, AuthorizationRequested)
    asked = only(AuthorizationRequested, outcome)
    assert (asked.units, asked.starts_on, asked.ends_on) == (12, ADMITTED, date(2026, 5, 30))


async def test_a_contract_that_comes_later_asks_for_what_waited() -> None:
    billing = Billing()
    (await billing.learn(ADMISSION)).then_types(CoverageRegistered)
    outcome = await billing.do(AgreeContract(terms=terms()))
    assert AuthorizationRequested in map(type, outcome.events)


async def test_a_day_of_180_minutes_with_a_note_is_charged_when_it_closes() -> None:
    billing = await Billing().authorized()
    await billing.until(datetime(2026, 3, 10, 1, tzinfo=UTC))
    counted = await billing.learn(scheduled(MONDAY), attended(MONDAY), signed(MONDAY))
    counted.then_types(ChargeDayOpened, AttendanceCounted, NoteCounted)
    outcome = await billing.until(datetime(2026, 3, 10, 6, tzinfo=UTC))
    outcome.then_types(ChargeCaptured, AuthorizationUnitConsumed)
    charge = only(ChargeCaptured, outcome)
    assert (charge.service_date, charge.code, charge.units, charge.minutes) == (MONDAY, "H0015", 1, 180)
    assert (str(charge.amount), charge.diagnoses) == ("400.00", ("F33.1",))
    assert charge.authorization_number == "A2026030517"


async def test_the_date_of_service_is_the_groups_local_date() -> None:
    billing = await Billing().authorized()
    late = scheduled(MONDAY).model_copy(
        update={
            "starts_at": datetime(2026, 3, 10, 1, tzinfo=UTC),
            "ends_at": datetime(2026, 3, 10, 4, tzinfo=UTC),
        }
    )
    await billing.learn(late, attended(MONDAY))
    assert [row["service_date"] for row in billing.rows("charge_days")] == [MONDAY]


@pytest.mark.parametrize("order", range(6))
async def test_facts_of_a_day_may_come_in_any_order(order: int) -> None:
    from itertools import permutations

    facts = (scheduled(MONDAY), attended(MONDAY), signed(MONDAY))
    billing = await Billing().authorized()
    await billing.until(datetime(2026, 3, 10, 1, tzinfo=UTC))
    await billing.learn(*list(permutations(facts))[order])
    await billing.until(datetime(2026, 3, 10, 6, tzinfo=UTC))
    assert [row["status"] for row in billing.rows("charge_days")] == ["captured"]


async def test_a_group_that_becomes_known_late_opens_its_days() -> None:
    billing = Billing()
    await billing.do(AgreeContract(terms=terms()))
    await billing.learn(scheduled(MONDAY), attended(MONDAY))
    (await billing.learn(GROUP_SCHEDULED)).then_types(ChargeDayOpened, AttendanceCounted)


async def test_no_note_no_charge_and_the_note_releases_it() -> None:
    billing = await Billing().authorized()
    (await billing.day(MONDAY, note=False)).then(ChargeHeld(rule="NoteUnsigned", minutes=180))
    (await billing.learn(signed(MONDAY))).then_types(NoteCounted, ChargeCaptured, AuthorizationUnitConsumed)


async def test_a_day_below_the_minimum_is_held() -> None:
    billing = await Billing().authorized()
    (await billing.day(MONDAY, 168)).then(ChargeHeld(rule="MinutesShort", minutes=168))


async def test_a_day_below_the_minimum_falls_back_where_the_contract_says_so() -> None:
    billing = await Billing().authorized(discrete_code="90853", discrete_amount="62.00")
    outcome = await billing.day(MONDAY, 168)
    assert [(e.code, str(e.amount)) for e in outcome.events if isinstance(e, ChargeCaptured)] == [
        ("90853", "62.00")
    ]


async def test_held_days_are_charged_when_the_payer_approves() -> None:
    billing = await Billing().contracted()
    (await billing.day(MONDAY)).then(ChargeHeld(rule="AuthorizationPending", minutes=180))
    outcome = await billing.do(answer())
    assert ChargeCaptured in map(type, outcome.events)


async def test_a_denied_authorization_holds_charges_under_its_own_rule() -> None:
    billing = await Billing().contracted()
    await billing.day(MONDAY)
    outcome = await billing.do(answer(Action.NOT_CERTIFIED))
    outcome.then(
        AuthorizationDenied(reason="level_of_care_not_met"),
        ChargeHeld(rule="AuthorizationDenied", minutes=180),
    )


async def test_the_first_answer_of_a_payer_decides() -> None:
    billing = await Billing().authorized()
    (await billing.do(answer(Action.NOT_CERTIFIED))).then()


async def test_a_diagnosis_releases_what_waited_for_it() -> None:
    billing = Billing()
    await billing.do(AgreeContract(terms=terms(requires_auth=False)))
    await billing.learn(GROUP_SCHEDULED, ADMISSION)
    (await billing.day(MONDAY)).then(ChargeHeld(rule="DiagnosisMissing", minutes=180))
    outcome = await billing.learn(diagnosis())
    outcome.then_types(ChargeCaptured)
    assert only(ChargeCaptured, outcome).authorization is None


async def test_a_payer_without_contract_holds_and_a_contract_releases() -> None:
    billing = Billing()
    await billing.learn(GROUP_SCHEDULED, ADMISSION, diagnosis())
    (await billing.day(MONDAY)).then(ChargeHeld(rule="ContractMissing", minutes=180))
    outcome = await billing.do(AgreeContract(terms=terms(requires_auth=False)))
    assert ChargeCaptured in map(type, outcome.events)


async def test_units_run_low_then_out_and_the_next_day_is_held() -> None:
    billing = await Billing().authorized(units=2, low_units=1)
    first = await billing.day(MONDAY)
    first.then_types(ChargeCaptured, AuthorizationUnitConsumed, AuthorizationRunningLow)
    assert first.events[2] == AuthorizationRunningLow(remaining=1, review_due=date(2026, 3, 10))
    second = await billing.day(date(2026, 3, 11))
    second.then_types(ChargeCaptured, AuthorizationUnitConsumed, AuthorizationExhausted)
    third = await billing.day(date(2026, 3, 13))
    third.then(ChargeHeld(rule="AuthorizationExhausted", minutes=180))


async def test_a_concurrent_review_is_asked_for_once() -> None:
    billing = await Billing().authorized()
    more = RequestAuthorization(
        episode=EPISODE, units=12, starts_on=date(2026, 4, 1), ends_on=date(2026, 6, 1)
    )
    (await billing.do(more)).then_types(AuthorizationRequested)
    (await billing.do(more)).then()


async def test_a_correction_below_the_minimum_voids_the_charge_and_frees_its_unit() -> None:
    billing = await Billing().authorized()
    await billing.day(MONDAY)
    outcome = await billing.learn(_corrected(120))
    outcome.then_types(AttendanceCounted, ChargeVoided, ChargeHeld, AuthorizationUnitReleased)
    assert [row["used"] for row in billing.rows("authorizations")] == [0]


async def test_a_correction_that_changes_no_money_changes_no_charge() -> None:
    billing = await Billing().authorized()
    await billing.day(MONDAY)
    (await billing.learn(_corrected(185))).then_types(AttendanceCounted)


async def test_a_withdrawn_note_voids_the_charge() -> None:
    billing = await Billing().authorized()
    await billing.day(MONDAY)
    outcome = await billing.learn(
        NoteWithdrawn(session=session_of(MONDAY), reason="wrong-patient"), patient=ANA
    )
    outcome.then_types(NoteCounted, ChargeVoided, ChargeHeld, AuthorizationUnitReleased)


async def test_an_attendance_corrected_to_a_miss_leaves_nothing_to_charge() -> None:
    billing = await Billing().authorized()
    await billing.until(datetime(2026, 3, 10, 1, tzinfo=UTC))
    await billing.learn(scheduled(MONDAY), attended(MONDAY), _corrected(0))
    outcome = await billing.until(datetime(2026, 3, 10, 6, tzinfo=UTC))
    outcome.then(ChargeVoided(reason="nothing-attended"))


async def test_what_is_corrected_while_a_day_is_counted_is_not_counted_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The correction comes in between what the end of the day reads first and its look at the day."""
    billing = await Billing().authorized()
    await billing.until(starts(MONDAY))
    await billing.learn(scheduled(MONDAY), attended(MONDAY), signed(MONDAY))
    read = billing.store.rows

    async def overtaken(table: str, key: dict[str, Any]) -> list[Row]:
        rows = await read(table, key)
        if table == "groups":
            monkeypatch.undo()
            await billing.learn(_corrected(0))
        return rows

    monkeypatch.setattr(billing.store, "rows", overtaken)
    outcome = await billing.until(datetime(2026, 3, 10, 6, tzinfo=UTC))
    assert [fact.minutes for fact in outcome.events if isinstance(fact, AttendanceCounted)] == [0]
    assert ChargeCaptured not in map(type, outcome.events)


@settings(max_examples=25, deadline=None)
@given(st.permutations(["attended", "signed", "approved", "diagnosed", "scheduled"]), st.data())
async def test_whatever_order_facts_come_in_the_same_charge_stands(
    order: list[str], data: st.DataObject
) -> None:
    billing = Billing()
    await billing.do(AgreeContract(terms=terms()))
    await billing.learn(GROUP_SCHEDULED, ADMISSION)
    facts = {
        "attended": attended(MONDAY),
        "signed": signed(MONDAY),
        "diagnosed": diagnosis(),
        "scheduled": scheduled(MONDAY),
    }
    closes = data.draw(st.integers(0, len(order)))
    await billing.until(datetime(2026, 3, 10, 1, tzinfo=UTC))
    for index, name in enumerate(order):
        if index == closes:
            await billing.until(datetime(2026, 3, 10, 6, tzinfo=UTC))
        await (billing.learn(facts[name]) if name in facts else billing.do(answer()))
    await billing.until(datetime(2026, 3, 11, 6, tzinfo=UTC))
    assert [row["status"] for row in billing.rows("charge_days")] == ["captured"]
    assert [row["used"] for row in billing.rows("authorizations")] == [1]


def _corrected(minutes: int) -> AttendanceCorrected:
    fact = attended(MONDAY)
    return AttendanceCorrected(
        patient=ANA,
        episode=EPISODE,
        session=fact.session,
        previous_minutes=180,
        minutes=minutes,
        started_at=fact.started_at if minutes else None,
        ended_at=fact.started_at + timedelta(minutes=minutes) if minutes else None,
        reason="sign-in-sheet",
        approver="staff-7",
    )
