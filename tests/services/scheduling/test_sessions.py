"""Sessions: their instants across changes of the clock, called off, closed with what members did."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import (
    GroupAddedToTrack,
    GroupSeriesScheduled,
    SeatReleased,
    SessionAttended,
    SessionCancelled,
    SessionClosed,
    SessionMissed,
    SessionPartiallyAttended,
    SessionScheduled,
    TrackOpened,
    Weekday,
)

from chassis.refusal import AlreadyExists, NotFound, Refusal
from services.scheduling.commands.attendance import RecordAttendance
from services.scheduling.commands.sessions import CancelSession, CloseSession, MemberFacts
from services.scheduling.domain.presence import Missed
from services.scheduling.domain.refusals import (
    AttendanceStands,
    MemberTwice,
    NoMinutes,
    NotEnrolled,
    SeriesEmpty,
    SeriesTooLong,
    SessionIsCancelled,
    SessionIsClosed,
    SessionNotBegun,
    SessionWasHeld,
    TrackDiffers,
)
from services.scheduling.domain.series import meetings
from tests.memory import MemoryTables
from tests.services.scheduling.builders import (
    ANA,
    BEN,
    CARA,
    GROUP,
    LENGTH,
    MONDAY,
    SESSION,
    Play,
    discharged,
    group,
    member,
    series,
    there,
    track,
)

OVER = MONDAY + LENGTH


def close(*members: MemberFacts) -> CloseSession:
    return CloseSession(session=SESSION, members=members)


CANCEL = CancelSession(session=SESSION, reason="facilitator-ill")


def test_a_series_keeps_its_local_time_when_summer_time_begins() -> None:
    found = dict(meetings(series(first_on=date(2026, 3, 6), last_on=date(2026, 3, 9))))
    assert list(found) == [datetime(2026, 3, 6, 23, tzinfo=UTC), datetime(2026, 3, 9, 22, tzinfo=UTC)]
    assert {ends_at - starts_at for starts_at, ends_at in found.items()} == {LENGTH}


def starts_of(on: date, starts: time) -> datetime:
    sunday = series(first_on=on, last_on=on, weekdays=(Weekday.SU,), starts=starts)
    ((starts_at, _),) = meetings(sunday)
    return starts_at


def test_a_local_time_that_the_clock_skips_is_read_with_the_offset_before() -> None:
    assert starts_of(date(2026, 3, 8), time(2, 30)) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_a_local_time_that_comes_twice_is_the_first() -> None:
    assert starts_of(date(2026, 11, 1), time(1, 30)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


async def test_a_group_is_scheduled_with_each_of_its_sessions() -> None:
    play = Play()
    await play.asks(track())
    outcome = await play.asks(group(last_on=date(2026, 3, 4)))
    types: list[type[Event]] = [type(event) for event in outcome.events]
    assert types == [GroupAddedToTrack, GroupSeriesScheduled, SessionScheduled, SessionScheduled]
    starts = [event.starts_at for event in outcome.events if isinstance(event, SessionScheduled)]
    assert starts == [MONDAY, MONDAY + timedelta(days=2)]


async def test_a_group_is_refused_without_a_track_twice_empty_or_endless() -> None:
    play = Play()
    (await play.asks(group())).then_refused(NotFound)
    await play.begin()
    (await play.asks(group())).then_refused(AlreadyExists)
    never = group(name="Never", weekdays=("SU",), last_on=date(2026, 3, 3))
    (await play.asks(never)).then_refused(SeriesEmpty)
    (await play.asks(group(name="Ever", last_on=date(2036, 1, 1)))).then_refused(SeriesTooLong)


async def test_a_track_is_opened_once() -> None:
    play = await Play().begin()
    (await play.asks(track())).then()
    other = TrackOpened(track="adult-evening", site="north", name="Adults", weekly_minutes=540)
    (await play.asks(track().model_copy(update={"track": other}))).then_refused(TrackDiffers)


async def test_a_session_is_called_off_once() -> None:
    play = await Play().begin()
    (await play.asks(CANCEL)).then(SessionCancelled(session=SESSION, reason="facilitator-ill"))
    (await play.asks(CANCEL)).then()


async def test_a_session_that_was_held_or_closed_is_not_called_off() -> None:
    play = await Play(OVER).begin(12)
    await play.asks(close())
    (await play.asks(CANCEL)).then_refused(SessionIsClosed)
    play = await (await Play().begin(12, ANA)).until(OVER)
    await play.asks(RecordAttendance(session=SESSION, **dict(member(ANA, there()))))
    (await play.asks(CANCEL)).then_refused(SessionWasHeld)


async def test_a_session_that_was_held_is_not_called_off_though_the_read_models_are_behind() -> None:
    play = await (await Play().begin(12, ANA, BEN)).until(OVER)
    await play.asks(RecordAttendance(session=SESSION, **dict(member(ANA, there()))))
    play.scenario.store.tables = MemoryTables()
    (await play.asks(CANCEL)).then_refused(SessionWasHeld)
    await play.hears(discharged(ANA), patient=ANA)
    await play.until(OVER + timedelta(seconds=2))
    assert await play.told(SeatReleased)
    (await play.asks(CANCEL)).then_refused(SessionWasHeld)


async def test_closing_records_each_members_facts_and_counts_who_was_there() -> None:
    play = await (await Play().begin(12, ANA, BEN, CARA)).until(OVER)
    outcome = await play.asks(close(member(ANA, there()), member(BEN, there(late=20))))
    outcome.then_types(SessionClosed, SessionAttended, SessionPartiallyAttended)
    closed = SessionClosed(session=SESSION, group=GROUP, participant_count=2, minutes=180, unaccounted=1)
    assert outcome.events[0] == closed


async def test_closing_counts_who_was_recorded_before() -> None:
    play = await (await Play().begin(12, ANA, BEN)).until(OVER)
    await play.asks(RecordAttendance(session=SESSION, **dict(member(ANA, there()))))
    outcome = await play.asks(close(member(ANA, there()), member(BEN, Missed())))
    outcome.then_types(SessionClosed, SessionMissed)
    assert outcome.events[0].participant_count == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("members", "refusal", "at"),
    [
        ((member(ANA, there()), member(ANA, there())), MemberTwice, "/members/1/patient"),
        ((member(BEN, there()),), NotEnrolled, "/members/0/episode"),
        ((member(ANA, there()), member(BEN, Missed())), NotEnrolled, "/members/1/episode"),
        ((member(ANA, there(late=180)),), NoMinutes, "/members/0/ended_at"),
    ],
)
async def test_a_session_closes_with_all_or_nothing_and_says_whose_facts_it_refuses(
    members: tuple[MemberFacts, ...], refusal: type[Refusal], at: str
) -> None:
    play = await (await Play().begin(12, ANA)).until(OVER)
    outcome = (await play.asks(close(*members))).then_refused(refusal)
    assert outcome.refused
    assert outcome.refused.place == at
    assert not await play.told(SessionAttended, SessionClosed)


async def test_a_session_closes_once_and_not_before_it_begins_nor_when_called_off() -> None:
    play = await Play().begin(12, ANA)
    (await play.asks(close())).then_refused(SessionNotBegun)
    await play.until(OVER)
    await play.asks(RecordAttendance(session=SESSION, **dict(member(ANA, Missed()))))
    (await play.asks(close(member(ANA, there())))).then_refused(AttendanceStands)
    (await play.asks(close())).then_types(SessionClosed)
    (await play.asks(close())).then_refused(SessionIsClosed)
    other = await Play(OVER).begin(12)
    await other.asks(CANCEL)
    (await other.asks(close())).then_refused(SessionIsCancelled)
