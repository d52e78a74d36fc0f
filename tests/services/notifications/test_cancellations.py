"""A session is called off: whoever would come is told, by mail where one may go out, else by a person."""

from datetime import timedelta

import pytest
from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.event import Event
from caretrail_contracts.intake import DischargeType
from caretrail_contracts.notifications import (
    MessageDeferred,
    MessageReleased,
    MessageRequested,
    MessageSuppressed,
    StaffTaskCreated,
    TaskKind,
    Template,
)
from caretrail_contracts.scheduling import EnrollmentEnded, SessionCancelled

from services.notifications.commands.messages import RemindOfSession, TellOfCancellation
from tests.services.notifications.builders import (
    ANA,
    BEN,
    GROUP,
    MONDAY,
    SOON,
    TUESDAY,
    TUESDAYS,
    Play,
    cared_for,
    discharged,
    enrolled,
    missed,
    registered,
    risk,
    session_at,
    utc,
)

OFF = SessionCancelled(session=TUESDAYS.session, reason="weather")


async def released(play: Play) -> list[MessageReleased]:
    return [event for event in await play.events(MessageReleased) if isinstance(event, MessageReleased)]


async def tasks(play: Play) -> list[StaffTaskCreated]:
    return [event for event in await play.events(StaffTaskCreated) if isinstance(event, StaffTaskCreated)]


async def test_the_members_of_a_session_that_is_called_off_are_told_at_once() -> None:
    play = await cared_for(ANA, BEN)
    gone = EnrollmentEnded(enrollment=enrolled(BEN).enrollment, reason="discharged")
    await play.knows(enrolled(ANA), enrolled(BEN), gone, TUESDAYS)
    await play.hears(OFF)
    await play.after(SOON)
    [message] = await released(play)
    assert (message.patient, message.template) == (ANA, Template.SESSION_CANCELLED)
    assert message.appointment == TUESDAYS.starts_at
    assert not await tasks(play)


async def test_a_session_that_is_called_off_reminds_nobody() -> None:
    play = await cared_for()
    await play.knows(enrolled())
    await play.hears(TUESDAYS, OFF)
    await play.until(utc(TUESDAY, 0))
    assert {message.template for message in await released(play)} == {Template.SESSION_CANCELLED}


async def test_a_reminder_whose_time_came_finds_the_session_called_off_or_begun() -> None:
    remind = RemindOfSession(session=TUESDAYS.session, group=GROUP, starts_at=TUESDAYS.starts_at)
    called_off = await cared_for()
    await called_off.knows(enrolled(), OFF)
    (await called_off.asks(remind)).then()
    begun = await cared_for(now=TUESDAYS.starts_at)
    await begun.knows(enrolled())
    (await begun.asks(remind)).then()


async def test_a_reminder_that_waits_is_withdrawn_with_its_session() -> None:
    play = await cared_for()
    await play.knows(enrolled(), registered(zone="Pacific/Honolulu"))
    await play.hears(TUESDAYS)
    await play.until(utc(MONDAY, 17) + SOON)
    assert await play.events(MessageDeferred)
    await play.hears(OFF)
    await play.until(utc(MONDAY, 18) + SOON)
    assert await play.events(MessageSuppressed) == [MessageSuppressed(rule="withdrawn")]


async def test_who_was_reminded_already_is_told_by_a_person_before_the_session() -> None:
    play = await cared_for()
    await play.knows(enrolled())
    await play.hears(TUESDAYS)
    await play.until(utc(MONDAY, 17) + SOON)
    await play.hears(OFF)
    await play.after(SOON)
    assert await play.events(MessageSuppressed) == [MessageSuppressed(rule="daily_cap")]
    [task] = await tasks(play)
    assert (task.kind, task.patient, task.about) == (TaskKind.OUTREACH, ANA, TUESDAYS.session)
    assert timedelta(hours=8) - SOON <= task.due_at - play.now <= timedelta(hours=8)


async def test_who_can_only_be_told_in_the_morning_is_told_by_a_person_by_then() -> None:
    play = await cared_for(now=utc(TUESDAY, 4))
    early = session_at(utc(TUESDAY, 12))
    await play.knows(enrolled(), early)
    await play.hears(SessionCancelled(session=early.session, reason="illness"))
    await play.after(SOON)
    assert await play.events(MessageSuppressed) == [MessageSuppressed(rule="too_late")]
    assert [task.due_at for task in await tasks(play)] == [early.starts_at]


async def test_a_patient_at_risk_who_gets_no_mail_is_called_by_who_is_on_call() -> None:
    play = await cared_for()
    await play.knows(enrolled(), TUESDAYS, registered(email=None), risk(RiskLevel.HIGH))
    await play.hears(OFF)
    await play.after(SOON)
    assert [task.kind for task in await tasks(play)] == [TaskKind.CALL_PATIENT]


@pytest.mark.parametrize("known", [discharged(), discharged(how=DischargeType.DECEASED)])
async def test_who_will_not_come_need_not_be_told(known: Event) -> None:
    play = await cared_for()
    await play.knows(enrolled(), TUESDAYS, known)
    await play.hears(OFF)
    await play.after(SOON)
    assert not await released(play)
    assert not await tasks(play)


async def test_nobody_is_told_of_a_session_that_would_have_begun() -> None:
    play = await cared_for(now=TUESDAYS.starts_at)
    await play.knows(enrolled(), TUESDAYS)
    await play.hears(OFF)
    assert not await play.events(MessageRequested)


async def test_a_cancellation_that_is_told_twice_is_one_message() -> None:
    play = await cared_for()
    await play.knows(enrolled(), TUESDAYS)
    await play.hears(OFF)
    (await play.asks(TellOfCancellation(session=TUESDAYS.session))).then()


async def test_it_goes_before_outreach_of_the_same_moment() -> None:
    play = await cared_for(now=utc(MONDAY, 15))
    await play.knows(enrolled(), TUESDAYS)
    await play.hears(missed(utc(MONDAY, 13)), OFF)
    await play.after(SOON)
    assert [message.template for message in await released(play)] == [Template.SESSION_CANCELLED]
