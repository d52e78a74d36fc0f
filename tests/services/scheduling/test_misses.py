"""Misses: two in a row, three in 14 days, each noticed once."""

from datetime import timedelta
from random import Random
from uuid import UUID

from caretrail_contracts.scheduling import ConsecutiveMissesDetected
from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import derive
from services.scheduling.commands.attendance import CorrectAttendance, RecordAttendance
from services.scheduling.domain.attendance import attendance_id
from services.scheduling.domain.misses import Seen, detect
from services.scheduling.domain.presence import Missed, There
from services.scheduling.domain.session import session_id
from tests.services.scheduling.builders import ANA, GROUP, MONDAY, STARTS, Play, episode_of, there

S = [derive("session", day) for day in range(40)]
LATER = MONDAY + timedelta(days=6)


def seen(pattern: str, every: int = 2) -> list[Seen]:
    """Sessions every so many days: ``x`` was missed, ``.`` was not."""
    return [Seen(S[i], MONDAY + timedelta(days=every * i), mark == "x") for i, mark in enumerate(pattern)]


def test_one_miss_is_none_of_our_business() -> None:
    assert detect(seen(".x."), set()) is None


def test_two_in_a_row_are_noticed() -> None:
    assert detect(seen(".xx"), set()) == ("two-in-a-row", (S[1], S[2]))


def test_three_in_14_days_are_noticed() -> None:
    assert detect(seen("x.x.x"), set()) == ("three-in-14-days", (S[0], S[2], S[4]))


def test_three_in_15_days_are_not() -> None:
    assert detect(seen("x......x......x", every=1), set()) is not None
    assert detect(seen("x......x.......x", every=1), set()) is None


def test_a_run_that_was_noticed_is_not_noticed_again_when_it_grows() -> None:
    assert detect(seen("xxx"), {S[0], S[1]}) is None


def test_a_new_run_is_noticed_anew() -> None:
    assert detect(seen("xx.xx"), {S[0], S[1]}) == ("two-in-a-row", (S[3], S[4]))


@given(st.text("x.", max_size=30), st.randoms())
def test_what_is_noticed_was_missed_whatever_the_order_of_entry(pattern: str, random: Random) -> None:
    facts = seen(pattern)
    shuffled = list(facts)
    random.shuffle(shuffled)
    found = detect(facts, set())
    assert detect(shuffled, set()) == found
    missed = {each.session for each in facts if each.missed}
    assert found is None or missed.issuperset(found[1])
    assert (found is not None) or "xx" not in pattern


@given(st.text("x.", max_size=30))
def test_no_miss_is_noticed_twice(pattern: str) -> None:
    noticed: set[UUID] = set()
    for end in range(len(pattern) + 1):
        while found := detect(seen(pattern[:end]), noticed):
            assert not noticed.intersection(found[1])
            noticed.update(found[1])


def record(day: int, said: There | Missed) -> RecordAttendance:
    session = session_id(GROUP, STARTS[day])
    return RecordAttendance(session=session, patient=ANA, episode=episode_of(ANA), said=said)


async def noticed(play: Play) -> list[ConsecutiveMissesDetected]:
    return await play.told(ConsecutiveMissesDetected)  # type: ignore[return-value]


async def test_two_missed_sessions_are_noticed_once() -> None:
    play = await (await Play().begin(12, ANA)).until(LATER)
    for day in range(3):
        await play.asks(record(day, Missed(excused=day == 0)))
    (found,) = await noticed(play)
    first_two = tuple(session_id(GROUP, starts_at) for starts_at in STARTS[:2])
    assert (found.count, found.rule, found.sessions) == (2, "two-in-a-row", first_two)
    assert (found.patient, found.episode) == (ANA, episode_of(ANA))


async def test_a_miss_that_is_learned_of_by_a_correction_counts() -> None:
    play = await (await Play().begin(12, ANA)).until(LATER)
    await play.asks(record(0, there(STARTS[0])))
    await play.asks(record(1, Missed()))
    assert not await noticed(play)
    attendance = attendance_id(session_id(GROUP, STARTS[0]), ANA)
    await play.asks(
        CorrectAttendance(attendance=attendance, said=Missed(), reason="mix-up", approver="supervisor-1")
    )
    assert len(await noticed(play)) == 1


async def test_a_miss_that_was_none_does_not_count() -> None:
    play = await (await Play().begin(12, ANA)).until(LATER)
    await play.asks(record(0, Missed()))
    attendance = attendance_id(session_id(GROUP, STARTS[0]), ANA)
    said = there(STARTS[0])
    await play.asks(
        CorrectAttendance(attendance=attendance, said=said, reason="mix-up", approver="supervisor-1")
    )
    await play.asks(record(1, Missed()))
    assert not await noticed(play)
