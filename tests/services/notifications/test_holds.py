"""Charges that stay held become tasks: of clinicians where a note is missing, of billing for the rest."""

from datetime import timedelta

import pytest
from caretrail_contracts.billing import ChargeHeld, ChargeVoided
from caretrail_contracts.notifications import StaffTaskCreated, TaskKind

from chassis.ids import derive
from services.notifications.policies.tasks import HELD_TOO_LONG, NOTE_CHASED_AFTER, NOTE_MISSING_TOO_LONG
from tests.services.notifications.builders import ANA, Play, cared_for

CHARGE = derive("charge")
STREAM = f"charge-{CHARGE}"
SOON = timedelta(minutes=1)


def held(rule: str) -> ChargeHeld:
    return ChargeHeld(rule=rule, minutes=180)


async def tasks(play: Play) -> list[StaffTaskCreated]:
    return [event for event in await play.events(StaffTaskCreated) if isinstance(event, StaffTaskCreated)]


@pytest.mark.parametrize(
    "rule", ["MinutesShort", "AuthorizationExhausted", "DiagnosisMissing", "a-rule-of-tomorrow"]
)
async def test_a_charge_that_stays_held_is_a_task_of_billing(rule: str) -> None:
    play = await cared_for()
    await play.hears(held(rule), stream=STREAM)
    await play.after(HELD_TOO_LONG - SOON)
    assert not await tasks(play)
    await play.after(2 * SOON)
    [task] = await tasks(play)
    assert (task.kind, task.assignee) == (TaskKind.CHARGE_HOLD, "billing-desk")
    assert (task.patient, task.about) == (ANA, CHARGE)


async def test_a_missing_note_is_chased_at_clinicians_and_then_seen_by_billing() -> None:
    play = await cared_for()
    await play.hears(held("NoteUnsigned"), stream=STREAM)
    await play.after(NOTE_CHASED_AFTER - SOON)
    assert not await tasks(play)
    await play.after(2 * SOON)
    [chase] = await tasks(play)
    assert (chase.kind, chase.assignee, chase.about) == (TaskKind.MISSING_NOTE, "clinical-desk", CHARGE)
    await play.after(NOTE_MISSING_TOO_LONG - NOTE_CHASED_AFTER)
    assert [task.kind for task in await tasks(play)] == [TaskKind.MISSING_NOTE, TaskKind.CHARGE_HOLD]


@pytest.mark.parametrize("rule", ["NoteUnsigned", "MinutesShort"])
async def test_a_charge_that_moves_is_nobodys_task(rule: str) -> None:
    play = await cared_for()
    await play.hears(held(rule), stream=STREAM)
    await play.after(HELD_TOO_LONG - SOON)
    await play.hears(ChargeVoided(reason="nothing-attended"), stream=STREAM)
    await play.after(timedelta(days=30))
    assert not await tasks(play)


async def test_a_note_that_came_is_not_chased_while_the_charge_waits_for_something_else() -> None:
    play = await cared_for()
    await play.hears(held("NoteUnsigned"), stream=STREAM)
    await play.after(NOTE_CHASED_AFTER - SOON)
    await play.hears(held("AuthorizationPending"), stream=STREAM)
    await play.after(timedelta(days=30))
    assert [task.kind for task in await tasks(play)] == [TaskKind.CHARGE_HOLD]
