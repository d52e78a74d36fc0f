"""Scheduling over HTTP on the real servers, with intake beside it and a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.clock import SharedClock
from chassis.command import Cause
from services.intake.app import service as intake
from services.scheduling.app import service
from services.scheduling.commands.seats import SeatInTrack
from tests.conftest import Run
from tests.running import Running
from tests.services.scheduling.builders import (
    ANA,
    BEN,
    GROUP,
    LENGTH,
    MONDAY,
    NAME,
    SESSION,
    SITE,
    SUNDAY,
    TRACK,
    episode_of,
)

pytestmark = pytest.mark.servers

TRACK_BODY = {"track": TRACK, "site": SITE, "name": "Adults", "weekly_minutes": 540}
GROUP_BODY = {
    "track": TRACK,
    "name": NAME,
    "weekdays": ["MO", "WE", "FR"],
    "starts": "18:00",
    "minutes": 180,
    "time_zone": "America/New_York",
    "capacity": 1,
    "facilitator": "1234567893",
    "first_on": "2026-03-02",
    "last_on": "2026-03-31",
}


@pytest.fixture
def clock(tmp_path: Path) -> SharedClock:
    return SharedClock(tmp_path / "clock", create=SUNDAY)


@pytest.fixture
async def run(running: Run, clock: SharedClock, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(intake, service, clock_file=tmp_path / "clock") as found:
        yield found


async def told(run: Running, path: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = await run.post("scheduling", path, body)
    assert answer.status_code == status, answer.text
    given: dict[str, Any] = answer.json()
    return given


async def items(run: Running, path: str) -> list[dict[str, Any]]:
    await run.settle()
    answer = await run.get("scheduling", path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def offer(run: Running) -> None:
    await told(run, "/tracks", TRACK_BODY, 201)
    given = await told(run, "/groups", GROUP_BODY, 201)
    assert given["group"] == str(GROUP)


async def place(run: Running, *patients: Any) -> None:
    """Give patients their seats as an admission does."""
    for patient in patients:
        episode = episode_of(patient)
        seat = SeatInTrack(patient=patient, episode=episode, track=TRACK, starts_on=date(2026, 3, 2))
        cause = Cause.own(uuid4(), "scheduling", "policy:when_patient_admitted", episode)
        await run.runtime("scheduling").ground.executor.execute(seat, cause)


def member(patient: Any, **said: Any) -> dict[str, Any]:
    return {"patient": str(patient), "episode": str(episode_of(patient)), **said}


def span(late: int = 0, starts_at: datetime = MONDAY) -> dict[str, str]:
    started_at = starts_at + timedelta(minutes=late)
    return {"started_at": started_at.isoformat(), "ended_at": (starts_at + LENGTH).isoformat()}


async def test_a_session_is_closed_corrected_and_counted_into_the_week(run: Running, clock: Any) -> None:
    await offer(run)
    await place(run, ANA)
    clock.move(MONDAY + timedelta(days=1))
    closed = {"members": [member(ANA, **span(late=30))]}
    await told(run, f"/sessions/{SESSION}/close", closed)
    (found,) = await items(run, "/attendance?on=2026-03-02")
    assert (found["status"], found["minutes"], found["cause"]) == ("partial", 150, "late")
    correction = {**span(), "reason": "sign-in-sheet", "approver": "supervisor-1"}
    await told(run, f"/attendance/{found['attendance']}/correct", correction)
    (dose,) = await items(run, f"/weekly-dose?week=2026-W10&patient={ANA}")
    assert (dose["minutes"], dose["target"], dose["met"]) == (180, 540, False)
    for query in ("", "?week=2026-W10", f"?patient={ANA}"):
        assert await items(run, f"/weekly-dose{query}") == [dose]
    for query in ("?week=2026-W11", f"?patient={BEN}", f"?after={dose['position']}"):
        assert await items(run, f"/weekly-dose{query}") == []
    (session,) = await items(run, "/sessions?status=closed")
    assert (session["session"], session["participant_count"]) == (str(SESSION), 1)


async def test_rosters_and_waitlists_are_shown_by_pages(run: Running) -> None:
    await offer(run)
    await place(run, ANA, BEN)
    (seat,) = await items(run, f"/groups/{GROUP}/roster?on=2026-03-02")
    assert (seat["patient"], seat["seat"]) == (str(ANA), 1)
    (wait,) = await items(run, f"/groups/{GROUP}/waitlist")
    assert (wait["patient"], wait["place"]) == (str(BEN), 1)
    (group,) = await items(run, f"/groups?track={TRACK}")
    assert (group["taken"], group["waiting"], group["capacity"]) == (1, 1, 1)
    (track,) = await items(run, "/tracks")
    assert track["weekly_minutes"] == 540
    first = (await run.get("scheduling", f"/sessions?group={GROUP}&limit=5")).json()
    rest = (await run.get("scheduling", f"/sessions?group={GROUP}&after={first['next']}")).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (5, 8, None)


async def test_refusals_say_what_was_expected(run: Running, clock: Any) -> None:
    await offer(run)
    await place(run, ANA)
    path = f"/sessions/{SESSION}/attendance"
    early = await run.post("scheduling", path, member(ANA, **span()))
    assert (early.status_code, early.json()["title"]) == (409, "Session not begun")
    clock.move(MONDAY + timedelta(days=1))
    stranger = await run.post("scheduling", path, member(BEN, **span()))
    assert (stranger.status_code, stranger.json()["places"][0]["at"]) == (409, "/episode")
    both = member(ANA, **span(), missed={"excused": True})
    assert (await run.post("scheduling", path, both)).status_code == 422
    zone = await run.post("scheduling", "/groups", {**GROUP_BODY, "time_zone": "America/Nowhere"})
    assert (zone.status_code, zone.json()["places"][0]["at"]) == (422, "/time_zone")
    mistyped = await run.post("scheduling", "/groups", {**GROUP_BODY, "facilitator": "1234567839"})
    assert (mistyped.status_code, mistyped.json()["places"][0]["at"]) == (422, "/facilitator")
    unknown = f"/sessions/{episode_of(ANA)}/cancel"
    assert (await run.post("scheduling", unknown, {"reason": "storm"})).status_code == 404
    once = await run.post("scheduling", path, member(ANA, missed={}), key="k")
    again = await run.post("scheduling", path, member(ANA, missed={}), key="k")
    assert (once.status_code, once.json()["attendance"]) == (201, again.json()["attendance"])
    assert again.json()["repeated"]


async def admit(run: Running, family: str) -> tuple[str, str]:
    person = {"family": family, "given": "Ana", "birth_date": "1990-04-12", "gender": "female"}
    body = {"person": person, "source_type": "hospital", "urgency": "urgent", "payer": "acme"}
    got = (await run.post("intake", "/referrals", body)).json()
    await run.post("intake", f"/referrals/{got['referral']}/triage", {"urgency": "stat"})
    await run.post("intake", f"/referrals/{got['referral']}/accept")
    chosen = {"referral": got["referral"], "track": TRACK, "site": SITE, "admitted_on": "2026-03-01"}
    admitted = await run.post("intake", "/episodes", chosen)
    assert admitted.status_code == 201, admitted.text
    return got["patient"], admitted.json()["episode"]


async def test_an_episode_that_was_rejected_is_placed_by_hand_and_no_other(run: Running, clock: Any) -> None:
    ana, episode = await admit(run, "Rivera")
    await run.settle()
    clock.move(SUNDAY + timedelta(seconds=2))
    await run.settle()
    await offer(run)
    path = f"/tracks/{TRACK}/placements"
    for patient, other in ((ana, ana), (ana, str(uuid4())), (str(uuid4()), episode)):
        refused = await run.post("scheduling", path, {"patient": patient, "episode": other})
        (place,) = refused.json()["places"]
        assert (refused.status_code, place["at"]) == (404, "/episode")
        assert "may still be under way" in place["expected"]
    assert await items(run, f"/groups/{GROUP}/roster") == []
    await told(run, path, {"patient": ana, "episode": episode, "starts_on": "2026-03-02"}, 201)
    (seat,) = await items(run, f"/groups/{GROUP}/roster")
    assert (seat["patient"], seat["episode"]) == (ana, episode)


async def test_admission_seats_and_discharge_passes_the_seat_on(run: Running, clock: Any) -> None:
    await offer(run)
    ana, episode = await admit(run, "Rivera")
    await run.settle()
    clock.move(SUNDAY + timedelta(seconds=2))
    ben, _ = await admit(run, "Okafor")
    await run.settle()
    clock.move(SUNDAY + timedelta(seconds=4))
    (seat,) = await items(run, f"/groups/{GROUP}/roster")
    (wait,) = await items(run, f"/groups/{GROUP}/waitlist")
    assert (seat["patient"], wait["patient"]) == (ana, ben)
    left = {"discharge_type": "completed", "discharged_on": "2026-03-01"}
    answer = await run.post("intake", f"/episodes/{episode}/discharge", left)
    assert answer.status_code in (200, 201), answer.text
    await run.settle()
    clock.move(SUNDAY + timedelta(seconds=6))
    (seat,) = await items(run, f"/groups/{GROUP}/roster")
    assert (seat["patient"], await items(run, f"/groups/{GROUP}/waitlist")) == (ben, [])
