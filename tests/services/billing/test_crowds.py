"""The size of a group, learned late or corrected, decides its members' days again."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from caretrail_contracts.billing import ChargeCaptured, ChargeHeld, ChargeVoided
from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import AttendanceCorrected, SessionClosed

from chassis.ids import derive
from services.billing.domain.charging import HoldRule
from tests.services.billing.builders import ANA, GROUP, Billing, attended, session_of, starts

MONDAY = date(2026, 3, 9)
BEN = derive("patient", "ben")
CROWDED = ChargeHeld(rule=HoldRule.GROUP_SIZE_EXCEEDED, minutes=180)


def closed(count: int) -> SessionClosed:
    """A session that so many attended, of whom billing need not know."""
    return SessionClosed(session=session_of(MONDAY), group=GROUP, participant_count=count, minutes=180)


def corrected(minutes: int, previous: int, patient: UUID = BEN) -> AttendanceCorrected:
    """Another member was there so long after all."""
    fact = attended(MONDAY)
    return AttendanceCorrected(
        patient=patient,
        episode=derive("episode", patient),
        session=session_of(MONDAY),
        previous_minutes=previous,
        minutes=minutes,
        started_at=fact.started_at if minutes else None,
        ended_at=fact.ended_at if minutes else None,
        reason="sign-in-sheet",
        approver="staff-7",
    )


async def charged(*before: Event) -> Billing:
    """Ana's day is charged."""
    billing = await Billing().authorized()
    await billing.until(starts(MONDAY))
    await billing.learn(*before)
    assert ChargeCaptured in map(type, (await billing.day(MONDAY)).events)
    return billing


async def test_a_session_that_is_closed_late_with_a_crowd_takes_its_charges_back() -> None:
    billing = await charged()
    outcome = await billing.learn(closed(13))
    assert ChargeVoided in map(type, outcome.events)
    assert CROWDED in outcome.events


async def test_a_session_that_is_closed_late_with_enough_room_changes_nothing() -> None:
    billing = await charged()
    (await billing.learn(closed(12))).then()


async def test_a_member_who_was_there_after_all_makes_a_crowd() -> None:
    billing = await charged(closed(12))
    assert CROWDED in (await billing.learn(corrected(180, previous=0))).events


async def test_a_member_who_was_not_there_makes_room() -> None:
    billing = await Billing().authorized()
    await billing.until(starts(MONDAY))
    await billing.learn(closed(13))
    assert CROWDED in (await billing.day(MONDAY)).events
    assert ChargeCaptured in map(type, (await billing.learn(corrected(0, previous=180))).events)


@pytest.mark.parametrize(("minutes", "previous"), [(180, 0), (170, 180), (0, 0)])
async def test_what_was_corrected_before_the_session_closed_is_in_its_count(
    minutes: int, previous: int
) -> None:
    billing = await charged(corrected(minutes, previous))
    (await billing.learn(closed(12))).then()


async def test_more_or_less_minutes_are_no_other_member() -> None:
    billing = await charged(closed(12))
    outcome = await billing.learn(corrected(170, previous=180))
    assert ChargeVoided not in map(type, outcome.events)
    assert [row["status"] for row in billing.rows("charge_days", patient=ANA)] == ["captured"]
