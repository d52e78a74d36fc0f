"""What the lists say after what happened."""

from datetime import date, timedelta
from typing import Any

from services.scheduling.commands.attendance import CorrectAttendance, RecordAttendance
from services.scheduling.commands.seats import SeatInTrack
from services.scheduling.commands.sessions import CancelSession, CloseSession
from services.scheduling.domain.attendance import attendance_id
from services.scheduling.domain.presence import Missed
from services.scheduling.domain.session import session_id
from tests.services.scheduling.builders import (
    ANA,
    BEN,
    GROUP,
    MONDAY,
    SESSION,
    STARTS,
    SUNDAY,
    Play,
    discharged,
    episode_of,
    member,
    there,
)


async def rows(play: Play, table: str, **key: Any) -> list[dict[str, Any]]:
    return await play.scenario.store.rows(table, key)


async def test_a_roster_says_who_sits_where_and_since_when() -> None:
    play = await Play().begin(1, ANA, BEN)
    (seat,) = await rows(play, "roster")
    assert (seat["patient"], seat["seat"], seat["group_id"], seat["ended"]) == (ANA, 1, GROUP, False)
    (waits,) = await rows(play, "waitlist")
    assert (waits["patient"], waits["group_id"]) == (BEN, GROUP)


async def test_a_released_seat_moves_who_waited_from_the_waitlist_to_the_roster() -> None:
    play = await Play().begin(1, ANA, BEN)
    await play.hears(discharged(ANA), patient=ANA)
    await play.until(SUNDAY + timedelta(minutes=1))
    assert not await rows(play, "waitlist")
    seats = {seat["patient"]: seat for seat in await rows(play, "roster")}
    assert (seats[ANA]["ended"], seats[ANA]["ends_on"]) == (True, date(2026, 3, 2))
    assert (seats[BEN]["ended"], seats[BEN]["seat"]) == (False, 1)
    placements = {place["patient"]: place["status"] for place in await rows(play, "placements")}
    assert placements == {ANA: "ended", BEN: "placed"}


async def test_who_leaves_the_waitlist_never_was_on_the_roster() -> None:
    play = await Play().begin(1, ANA, BEN)
    await play.hears(discharged(BEN), patient=BEN)
    await play.until(SUNDAY + timedelta(minutes=1))
    assert [seat["patient"] for seat in await rows(play, "roster")] == [ANA]


async def test_a_rejected_placement_waits_for_staff() -> None:
    play = Play()
    await play.asks(SeatInTrack(patient=ANA, episode=episode_of(ANA), track="nowhere"))
    (place,) = await rows(play, "placements")
    assert (place["status"], place["reason"], place["track"]) == ("rejected", "unknown-track", "nowhere")


async def test_sessions_say_what_became_of_them() -> None:
    play = await (await Play().begin(12, ANA)).until(STARTS[1])
    await play.asks(CloseSession(session=SESSION, members=(member(ANA, there()),)))
    cancelled = session_id(GROUP, STARTS[1])
    await play.asks(CancelSession(session=cancelled, reason="storm"))
    (closed,) = await rows(play, "sessions", session=SESSION)
    assert (closed["status"], closed["participant_count"], closed["starts_at"]) == ("closed", 1, MONDAY)
    (off,) = await rows(play, "sessions", session=cancelled)
    assert (off["status"], off["reason"]) == ("cancelled", "storm")


async def test_attendance_shows_what_stands_after_a_correction() -> None:
    play = await (await Play().begin(12, ANA)).until(STARTS[1])
    said = Missed(excused=False, reason="unknown")
    await play.asks(RecordAttendance(session=SESSION, **dict(member(ANA, said))))
    (before,) = await rows(play, "attendance")
    assert (before["status"], before["excused"], before["reason"]) == ("missed", False, "unknown")
    correction = CorrectAttendance(
        attendance=attendance_id(SESSION, ANA), said=there(late=30), reason="mix-up", approver="supervisor-1"
    )
    await play.asks(correction)
    (after,) = await rows(play, "attendance")
    assert (after["status"], after["minutes"], after["corrected"]) == ("attended", 150, True)
    assert after["position"] == before["position"]
    said_in_order = [(row["missed"], row["position"]) for row in await rows(play, "presence")]
    assert [missed for missed, _ in sorted(said_in_order, key=lambda row: row[1])] == [True, False]
