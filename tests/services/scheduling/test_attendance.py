"""Attendance: in whole or in part, what cannot be, and corrections."""

from datetime import timedelta

import pytest
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    SessionAttended,
    SessionMissed,
    SessionPartiallyAttended,
)

from chassis.refusal import NotFound, Refusal
from services.scheduling.commands.attendance import CorrectAttendance, RecordAttendance
from services.scheduling.domain.attendance import attendance_id
from services.scheduling.domain.presence import Missed, There
from services.scheduling.domain.refusals import (
    AttendanceStands,
    InTheFuture,
    NoMinutes,
    NotEnrolled,
    NothingToCorrect,
    OutsideSession,
    SessionNotBegun,
)
from tests.services.scheduling.builders import (
    ANA,
    BEN,
    GROUP,
    LENGTH,
    MONDAY,
    SESSION,
    Play,
    discharged,
    episode_of,
    there,
)

NEXT_DAY = MONDAY + timedelta(days=1)
MINUTE = timedelta(minutes=1)
WHO = {"patient": ANA, "episode": episode_of(ANA), "session": SESSION}


def record(said: There | Missed) -> RecordAttendance:
    return RecordAttendance(patient=ANA, episode=episode_of(ANA), session=SESSION, said=said)


def correct(said: There | Missed) -> CorrectAttendance:
    return CorrectAttendance(
        attendance=attendance_id(SESSION, ANA), said=said, reason="sign-in-sheet", approver="supervisor-1"
    )


async def seated() -> Play:
    return await (await Play().begin(12, ANA)).until(NEXT_DAY)


async def test_the_whole_session_is_attendance() -> None:
    play = await seated()
    (await play.asks(record(there()))).then(
        SessionAttended(**WHO, group=GROUP, started_at=MONDAY, ended_at=MONDAY + LENGTH, minutes=180)
    )


@pytest.mark.parametrize(
    ("late", "early", "minutes", "cause"),
    [(1, 0, 179, "late"), (0, 30, 150, "left-early"), (10, 10, 160, "late-and-left-early")],
)
async def test_less_than_the_session_is_attendance_in_part(
    late: int, early: int, minutes: int, cause: str
) -> None:
    play = await seated()
    (event,) = (await play.asks(record(there(late=late, early=early)))).events
    assert isinstance(event, SessionPartiallyAttended)
    assert (event.minutes, event.cause) == (minutes, cause)


async def test_the_cause_that_staff_give_stands() -> None:
    play = await seated()
    (event,) = (await play.asks(record(there(late=5).model_copy(update={"cause": "transport"})))).events
    assert isinstance(event, SessionPartiallyAttended)
    assert event.cause == "transport"


async def test_a_miss_is_recorded_with_its_excuse() -> None:
    play = await seated()
    (await play.asks(record(Missed(excused=True, reason="illness")))).then(
        SessionMissed(**WHO, group=GROUP, starts_at=MONDAY, excused=True, reason="illness")
    )


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        (There(started_at=MONDAY, ended_at=MONDAY), NoMinutes),
        (There(started_at=MONDAY, ended_at=MONDAY + MINUTE - timedelta(seconds=1)), NoMinutes),
        (There(started_at=MONDAY, ended_at=MONDAY - MINUTE), NoMinutes),
        (There(started_at=MONDAY - 61 * MINUTE, ended_at=MONDAY + MINUTE), OutsideSession),
        (There(started_at=MONDAY, ended_at=MONDAY + LENGTH + 61 * MINUTE), OutsideSession),
        (There(started_at=MONDAY - 30 * MINUTE, ended_at=MONDAY), OutsideSession),
        (There(started_at=MONDAY, ended_at=NEXT_DAY + MINUTE), InTheFuture),
    ],
)
async def test_what_cannot_be_is_refused(said: There, refusal: type[Refusal]) -> None:
    play = await seated()
    (await play.asks(record(said))).then_refused(refusal)


async def test_an_hour_of_leeway_is_allowed() -> None:
    play = await seated()
    said = There(started_at=MONDAY - 60 * MINUTE, ended_at=MONDAY + LENGTH + 60 * MINUTE)
    (await play.asks(record(said))).then_types(SessionAttended)


async def test_nothing_is_known_of_a_session_before_it_begins() -> None:
    play = await Play().begin(12, ANA)
    (await play.asks(record(Missed(excused=True)))).then_refused(SessionNotBegun)


async def test_who_has_no_seat_on_the_day_cannot_attend() -> None:
    play = await seated()
    other = record(there()).model_copy(update={"patient": BEN})
    (await play.asks(other)).then_refused(NotEnrolled)
    left = await Play().begin(12, ANA)
    await left.hears(discharged(ANA, MONDAY.date() - timedelta(days=1)), patient=ANA)
    await left.until(NEXT_DAY)
    (await left.asks(record(there()))).then_refused(NotEnrolled)


async def test_who_left_on_the_day_was_there_still() -> None:
    play = await Play().begin(12, ANA)
    await play.hears(discharged(ANA, MONDAY.date()), patient=ANA)
    await play.until(NEXT_DAY)
    (await play.asks(record(there()))).then_types(SessionAttended)


async def test_the_same_facts_again_are_no_news_and_others_are_refused() -> None:
    play = await seated()
    await play.asks(record(there()))
    (await play.asks(record(there()))).then()
    (await play.asks(record(there(late=5)))).then_refused(AttendanceStands)


async def test_a_correction_keeps_both_facts() -> None:
    play = await seated()
    await play.asks(record(there(late=30)))
    (await play.asks(correct(there()))).then(
        AttendanceCorrected(
            **WHO,
            previous_minutes=150,
            minutes=180,
            started_at=MONDAY,
            ended_at=MONDAY + LENGTH,
            reason="sign-in-sheet",
            approver="supervisor-1",
        )
    )
    (await play.asks(correct(there()))).then_refused(NothingToCorrect)
    (await play.asks(record(there(late=30)))).then_refused(AttendanceStands)


async def test_a_correction_to_a_miss_has_no_minutes_and_obeys_the_same_rules() -> None:
    play = await seated()
    (await play.asks(correct(there()))).then_refused(NotFound)
    await play.asks(record(there()))
    outside = There(started_at=MONDAY - 90 * MINUTE, ended_at=MONDAY + MINUTE)
    (await play.asks(correct(outside))).then_refused(OutsideSession)
    (event,) = (await play.asks(correct(Missed()))).events
    assert isinstance(event, AttendanceCorrected)
    assert (event.minutes, event.started_at, event.previous_minutes) == (0, None, 180)


async def test_a_miss_that_was_excused_after_all_is_corrected_once() -> None:
    play = await seated()
    await play.asks(record(Missed(excused=True, reason="illness")))
    (await play.asks(correct(Missed(excused=True)))).then_refused(NothingToCorrect)
    corrected = AttendanceCorrected(
        **WHO,
        previous_minutes=0,
        minutes=0,
        started_at=None,
        ended_at=None,
        excused=False,
        cause="no-call",
        reason="sign-in-sheet",
        approver="supervisor-1",
    )
    (await play.asks(correct(Missed(reason="no-call")))).then(corrected)
    (await play.asks(correct(Missed(reason="no-call")))).then_refused(NothingToCorrect)
    (await play.asks(correct(Missed(excused=True)))).then_types(AttendanceCorrected)
    (row,) = await play.scenario.store.rows("attendance", {"session": SESSION, "patient": ANA})
    assert (row["status"], row["excused"], row["minutes"]) == ("missed", True, 0)


async def test_a_correction_keeps_why_somebody_was_there_in_part_only() -> None:
    play = await seated()
    await play.asks(record(there()))
    said = there(early=30).model_copy(update={"cause": "felt-unwell"})
    (event,) = (await play.asks(correct(said))).events
    assert isinstance(event, AttendanceCorrected)
    assert (event.cause, event.excused) == ("felt-unwell", None)
