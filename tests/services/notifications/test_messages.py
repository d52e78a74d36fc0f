"""Messages to patients: asked for by causes, decided on by rules, in the mail until it is taken."""

from datetime import timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.event import Event
from caretrail_contracts.intake import ContactChanged, DischargeType
from caretrail_contracts.notifications import (
    ContactOptedOut,
    MessageDeferred,
    MessageFailed,
    MessageReleased,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
    StaffTaskCreated,
    TaskKind,
    Template,
)
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    EnrollmentEnded,
)

from chassis.ids import derive
from services.notifications.commands.messages import (
    RecordMessageFailed,
    RecordMessageSent,
)
from services.notifications.commands.preferences import OptIn, OptOut
from services.notifications.domain.message import message_id
from services.notifications.policies.messages import reminder_time
from services.notifications.projections.patients import OPT_OUTS
from tests.services.notifications.builders import (
    ANA,
    BEN,
    EMAIL,
    MONDAY,
    MORNING,
    SOON,
    TUESDAY,
    TUESDAYS,
    Play,
    admitted,
    cared_for,
    discharged,
    enrolled,
    episode_of,
    missed,
    registered,
    risk,
    session_at,
    utc,
)


async def suppressed(play: Play) -> list[str]:
    return [
        event.rule for event in await play.events(MessageSuppressed) if isinstance(event, MessageSuppressed)
    ]


async def released(play: Play) -> list[MessageReleased]:
    return [event for event in await play.events(MessageReleased) if isinstance(event, MessageReleased)]


async def calls(play: Play) -> list[StaffTaskCreated]:
    found = await play.events(StaffTaskCreated)
    return [one for one in found if isinstance(one, StaffTaskCreated) and one.kind is TaskKind.CALL_PATIENT]


async def test_an_admission_brings_a_welcome_in_the_patients_day() -> None:
    play = Play()
    await play.hears(registered(), admitted())
    await play.after(SOON)
    [requested] = await play.events(MessageRequested)
    [message] = await released(play)
    assert isinstance(requested, MessageRequested)
    assert requested.post_at - MORNING == timedelta(seconds=5)
    assert message == MessageReleased(
        message=message_id(Template.WELCOME, episode_of(ANA), ANA),
        patient=ANA,
        template=Template.WELCOME,
        attempt=1,
        to=EMAIL,
        time_zone="America/New_York",
    )


async def test_a_second_admission_event_asks_for_nothing_new() -> None:
    play = await cared_for()
    await play.hears(admitted(), admitted())
    await play.after(SOON)
    assert len(await play.events(MessageRequested)) == 1


async def test_a_message_of_07_59_waits_for_08_00() -> None:
    play = await cared_for(now=utc(MONDAY, 12, 59))
    await play.hears(admitted())
    await play.after(timedelta(seconds=30))
    assert await play.events(MessageDeferred) == [MessageDeferred(until=utc(MONDAY, 13))]
    assert not await released(play)
    await play.until(utc(MONDAY, 13))
    assert len(await released(play)) == 1


async def test_the_recipients_zone_decides_and_the_newest_one_counts() -> None:
    play = await cared_for()
    await play.knows(ContactChanged(email=EMAIL, time_zone="Pacific/Honolulu"))
    await play.hears(admitted())
    await play.after(SOON)
    assert await play.events(MessageDeferred) == [MessageDeferred(until=utc(MONDAY, 18))]


async def test_a_contact_that_changes_at_the_moment_of_decision_counts_from_the_next_one() -> None:
    play = await cared_for()
    await play.hears(admitted())
    play.scenario.after(timedelta(seconds=5))
    play.scenario.know(ContactChanged(email=None, time_zone="America/New_York"), patient=ANA)
    await play.after(SOON)
    assert len(await released(play)) == 1


async def test_members_are_reminded_the_day_before() -> None:
    play = await cared_for(ANA, BEN)
    await play.hears(enrolled(ANA), TUESDAYS)
    await play.hears(enrolled(BEN), patient=BEN)
    await play.until(utc(MONDAY, 17) + SOON)
    found = await released(play)
    assert {message.patient for message in found} == {ANA, BEN}
    assert {message.template for message in found} == {Template.SESSION_REMINDER}
    assert {message.appointment for message in found} == {TUESDAYS.starts_at}


async def test_who_left_the_group_is_not_reminded() -> None:
    play = await cared_for()
    ended = EnrollmentEnded(enrollment=enrolled().enrollment, reason="discharged")
    await play.knows(enrolled(), ended)
    await play.hears(TUESDAYS)
    await play.until(utc(TUESDAY, 0))
    assert not await play.events(MessageRequested)


async def test_two_sessions_of_a_day_bring_one_reminder_of_the_first() -> None:
    play = await cared_for()
    other = derive("group", "noon")
    afternoon = session_at(utc(TUESDAY, 18), other)
    await play.knows(enrolled(), enrolled(group=other))
    await play.hears(afternoon, TUESDAYS)
    await play.until(utc(MONDAY, 17) + SOON)
    assert [message.appointment for message in await released(play)] == [TUESDAYS.starts_at]
    assert await suppressed(play) == ["daily_cap"]


@pytest.mark.parametrize("hour", range(24))
def test_reminders_go_the_day_before_by_local_time(hour: int) -> None:
    for zone in map(ZoneInfo, ("America/New_York", "America/Chicago", "America/Los_Angeles")):
        starts = utc(TUESDAY, 0).replace(tzinfo=zone) + timedelta(hours=hour)
        if 7 <= hour <= 21:
            local = reminder_time(starts).astimezone(zone)
            assert local.date() == starts.date() - timedelta(days=1)
            assert 8 <= local.hour < 21


async def test_a_miss_brings_a_text_the_same_day() -> None:
    play = await cared_for()
    await play.hears(missed(MORNING - timedelta(hours=2)))
    await play.after(SOON)
    assert [message.template for message in await released(play)] == [Template.MISSED_SESSION]
    assert not await calls(play)


async def test_an_excused_miss_brings_none() -> None:
    play = await cared_for()
    await play.hears(missed(MORNING - timedelta(hours=2), excused=True))
    await play.after(SOON)
    assert not await play.events(MessageRequested)


async def test_a_miss_that_was_none_is_not_written_about() -> None:
    play = await cared_for(now=utc(TUESDAY, 2))
    late = missed(utc(MONDAY, 23))
    await play.hears(late)
    await play.after(SOON)
    corrected = AttendanceCorrected(
        patient=ANA,
        episode=episode_of(ANA),
        session=late.session,
        previous_minutes=0,
        minutes=180,
        started_at=late.starts_at,
        ended_at=late.starts_at + timedelta(hours=3),
        reason="entry-error",
        approver="lead-1",
    )
    await play.hears(corrected)
    await play.until(utc(TUESDAY, 14))
    assert await suppressed(play) == ["withdrawn"]


async def test_outreach_that_comes_too_late_is_not_sent() -> None:
    play = await cared_for()
    await play.hears(missed(MORNING - timedelta(hours=37)))
    await play.after(SOON)
    assert await suppressed(play) == ["too_late"]


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        (registered(email=None), "no_address"),
        (discharged(), "discharged"),
        (discharged(how=DischargeType.DECEASED), "deceased"),
    ],
)
async def test_rules_keep_messages_back(known: Event, rule: str) -> None:
    play = await cared_for()
    await play.knows(known)
    await play.hears(missed(MORNING - timedelta(hours=2)))
    await play.after(SOON)
    assert await suppressed(play) == [rule]
    assert not await released(play)


async def test_opting_out_counts_for_what_waits_already() -> None:
    play = await cared_for(now=utc(TUESDAY, 3))
    await play.hears(missed(utc(MONDAY, 23)))
    await play.after(SOON)
    await play.asks(OptOut(patient=ANA, channel="email"))
    await play.until(utc(TUESDAY, 14))
    assert await suppressed(play) == ["opted_out"]


async def test_opting_out_counts_though_the_read_models_are_behind() -> None:
    play = await cared_for()
    await play.asks(OptOut(patient=ANA, channel="email"))
    tables = play.scenario.store.tables
    [row] = tables.select("opt_outs", {})
    tables.apply([OPT_OUTS.remove(patient=ANA, position=row["position"])])
    await play.hears(missed(MORNING - timedelta(hours=2)))
    await play.after(SOON)
    assert await suppressed(play) == ["opted_out"]


async def test_opting_in_again_lets_messages_go() -> None:
    play = await cared_for()
    await play.asks(OptOut(patient=ANA, channel="email"))
    await play.after(SOON)
    await play.asks(OptIn(patient=ANA, channel="email"))
    await play.after(SOON)
    await play.hears(missed(MORNING - timedelta(hours=2)))
    await play.after(SOON)
    assert len(await released(play)) == 1


async def test_opting_out_twice_is_one_event() -> None:
    play = await cared_for()
    (await play.asks(OptOut(patient=ANA, channel="email"))).then_types(ContactOptedOut)
    (await play.asks(OptOut(patient=ANA, channel="email"))).then()


@pytest.mark.parametrize("known", [registered(email=None), discharged()])
async def test_what_a_patient_at_risk_will_not_get_becomes_a_call(known: Event) -> None:
    play = await cared_for()
    await play.knows(risk(RiskLevel.MODERATE), known)
    await play.hears(admitted())
    await play.after(SOON)
    assert len(await suppressed(play)) == 1
    [call] = await calls(play)
    assert (call.patient, call.about, call.assignee) == (ANA, episode_of(ANA), "on-call-1")


async def test_nobody_calls_after_a_death() -> None:
    play = await cared_for()
    await play.knows(risk(RiskLevel.HIGH), discharged(how=DischargeType.DECEASED))
    await play.hears(admitted())
    await play.after(SOON)
    assert await suppressed(play) == ["deceased"]
    assert not await calls(play)


@pytest.mark.parametrize("excused", [True, False])
async def test_the_first_miss_at_an_open_risk_brings_one_call(excused: bool) -> None:
    play = await cared_for()
    await play.knows(risk(RiskLevel.HIGH), registered(email=None))
    await play.hears(missed(MORNING - timedelta(hours=2), excused=excused))
    await play.after(SOON)
    assert len(await calls(play)) == 1


async def test_a_risk_that_was_lowered_brings_no_call() -> None:
    play = await cared_for()
    await play.knows(risk(RiskLevel.HIGH), risk(RiskLevel.LOW, previous=RiskLevel.HIGH))
    await play.hears(missed(MORNING - timedelta(hours=2)))
    await play.after(SOON)
    assert not await calls(play)


async def fail(play: Play, attempt: int, final: bool = False) -> MessageFailed:
    [*_, message] = await released(play)
    command = RecordMessageFailed(
        message=message.message, attempt=attempt, reason="server_unreachable", final=final
    )
    outcome = await play.asks(command)
    [failed, *_] = outcome.events
    assert isinstance(failed, MessageFailed)
    return failed


async def test_a_mail_that_failed_is_tried_again_and_the_fifth_failure_is_a_task() -> None:
    play = await cared_for()
    await play.hears(missed(MORNING - timedelta(hours=2)))
    await play.after(SOON)
    for attempt in range(1, 5):
        failed = await fail(play, attempt)
        assert failed.retry_at
        await play.until(failed.retry_at)
        assert [message.attempt for message in await released(play)] == [*range(1, attempt + 2)]
    assert (await fail(play, 5)).retry_at is None
    await play.after(timedelta(days=2))
    tasks = await play.events(StaffTaskCreated)
    assert [task.kind for task in tasks if isinstance(task, StaffTaskCreated)] == [TaskKind.MESSAGE_FAILED]
    assert len(await released(play)) == 5


async def test_what_can_never_arrive_is_a_task_at_once_and_a_call_at_risk() -> None:
    play = await cared_for()
    await play.knows(risk(RiskLevel.MODERATE))
    await play.hears(admitted())
    await play.after(SOON)
    await fail(play, 1, final=True)
    kinds = {task.kind for task in await play.events(StaffTaskCreated) if isinstance(task, StaffTaskCreated)}
    assert kinds == {TaskKind.MESSAGE_FAILED, TaskKind.CALL_PATIENT}


async def test_a_retry_in_the_night_waits_for_the_morning() -> None:
    play = await cared_for(now=utc(TUESDAY, 1, 59))
    await play.hears(admitted())
    await play.after(timedelta(seconds=10))
    await fail(play, 1)
    await play.after(timedelta(hours=1))
    assert await play.events(MessageDeferred) == [MessageDeferred(until=utc(TUESDAY, 13))]
    await play.until(utc(TUESDAY, 13))
    assert len(await released(play)) == 2


async def test_the_mail_servers_word_counts_once_for_each_attempt() -> None:
    play = await cared_for()
    await play.hears(admitted())
    await play.after(SOON)
    [message] = await released(play)
    taken = RecordMessageSent(message=message.message, attempt=1, message_id="<a@example.org>")
    (await play.asks(taken)).then(MessageSent(message_id="<a@example.org>"))
    (await play.asks(taken)).then()
    late = RecordMessageFailed(message=message.message, attempt=1, reason="answered_450", final=False)
    (await play.asks(late)).then()


async def test_what_happens_at_one_instant_is_decided_alike_in_any_order() -> None:
    other = derive("group", "noon")
    happenings = (
        missed(MORNING - timedelta(hours=2)),
        missed(MORNING - timedelta(hours=2), group=other),
        risk(RiskLevel.HIGH),
        admitted(),
    )
    known = await cared_for()
    told = [(event, known.scenario.about(event, ANA)) for event in happenings]
    seen = []
    for order in permutations(told):
        for reverse in (False, True):
            play = await cared_for()
            for event, about in order:
                await play.learns(event, about)
            await play.after(SOON, reverse)
            seen.append(await play.facts())
            assert len(await released(play)) == 1
    assert all(facts == seen[0] for facts in seen)


async def test_a_morning_of_deferred_messages_keeps_the_caps_in_any_order() -> None:
    other = derive("group", "noon")
    seen = []
    for reverse in (False, True):
        play = await cared_for(now=utc(TUESDAY, 3))
        await play.hears(admitted(), missed(utc(MONDAY, 23)), missed(utc(MONDAY, 22), group=other))
        await play.until(utc(TUESDAY, 14), reverse)
        assert [message.appointment for message in await released(play)] == [utc(MONDAY, 22)]
        assert await suppressed(play) == ["daily_cap", "daily_cap"]
        seen.append(await play.facts())
    assert seen[0] == seen[1]
