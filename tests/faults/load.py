"""The load: coordinators, clerks and clinicians at work all at once, with repeats and mistakes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from tests.faults.heard import BLUNDERER, LAST
from tests.faults.history import ANSWER_MAX_S, History, Operation
from tests.faults.rarities import NO_MAIL, UNPLACED, Rarities
from tests.faults.turning import Turning

SITE, ZONE = "main-street", "America/New_York"
CHECK_MAX_S = 180.0
"""How long the check of ledger and stores may take: it reads some 5,000 events a second."""

TRACKS = {"adult-day": "09:00", "adult-evening": "17:30"}
FACILITATOR = "1234567893"
ADDRESS = {"line": "1 Oak Street", "city": "Albany", "state": "NY", "postal_code": "12207"}
PAYERS = ("acme-health", "state-medicaid")
CAPACITY = 12
STAYS_DAYS = 3
"""How long a patient stays, so that seats become free for those who wait."""


@dataclass
class Course:
    """A patient as their coordinator knows them."""

    patient: str
    referral: str
    episode: str
    admitted_on: date
    discharged: bool = False


@dataclass
class Load:
    """Clients at work until they are told that it is over."""

    history: History
    clock: Turning
    seed: int
    slow: float = 1.0
    """How many times as long clients rest whose work is not rare."""

    groups: dict[str, str] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    people: int = 0
    rarities: Rarities = field(init=False)

    def __post_init__(self) -> None:
        self.rarities = Rarities(self.history, self.clock, self.courses, self.groups, self.seed)

    async def prepare(self) -> None:
        """Tracks, groups and contracts, before anything is hurt."""
        first = self.clock.now().date()
        for track, starts in TRACKS.items():
            await self._sure("scheduling", "/tracks", _track(track), f"track {track}")
            body = _group(track, starts, first)
            found = await self._sure("scheduling", "/groups", body, f"group {track}")
            self.groups[track] = found.answer["group"]
        await self._sure("scheduling", "/tracks", _track(UNPLACED), f"track {UNPLACED}")
        for number, payer in enumerate(PAYERS):
            await self._sure(
                "billing", "/payer-contracts", _contract(payer, number, first), f"contract {payer}", "biller"
            )

    async def _sure(
        self, service: str, path: str, body: Any, key: str, role: str = "coordinator"
    ) -> Operation:
        found = await self.history.send("setter", service, path, body, key=key, role=role, again=True)
        assert found.outcome == "ok", found
        return found

    async def run(self, coordinators: int = 3) -> None:
        """Work until the history is over."""
        slow = self.slow
        async with asyncio.TaskGroup() as together:
            for number in range(coordinators):
                together.create_task(self._until_over(self._coordinate, f"coordinator-{number}", 0.4 * slow))
            for track in TRACKS:
                together.create_task(self._until_over(self._attend, f"clerk-{track}", 1.0 * slow))
            together.create_task(self._until_over(self._measure, "clinician", 0.3 * slow))
            together.create_task(self._until_over(self._discharge, "leaver", 0.5 * slow))
            together.create_task(self._until_over(self._blunder, BLUNDERER, 0.4 * slow))
            for client, (work, rest) in self.rarities.clients.items():
                together.create_task(self._until_over(work, client, rest))

    async def last_words(self, client: str = LAST) -> None:
        """Once nothing is hurt any more: a few commands to each service, each sent once."""
        today = self.clock.now().date()

        async def say(
            service: str, path: str, body: Any, role: str = "coordinator", within_s: float = ANSWER_MAX_S
        ) -> dict[str, Any]:
            key = f"{client} {len(self.history.operations)}"
            about: dict[str, Any] = {"key": key, "role": role, "again": False, "within_s": within_s}
            return (await self.history.send(client, service, path, body, **about)).answer

        self.people += 1
        got = await say(
            "intake", "/referrals", _referral(self.people, self.seed, Random(f"last {self.seed}"))
        )
        referral, patient = got.get("referral"), got.get("patient")
        await say("intake", f"/referrals/{referral}/triage", {"urgency": "routine", "level_of_care": "2.1"})
        await say("intake", f"/referrals/{referral}/accept", None)
        admission = _admission(str(referral), next(iter(TRACKS)), today)
        episode = (await say("intake", "/episodes", admission)).get("episode")
        for rank, icd10 in enumerate(("F33.1", "F41.1", "F10.20"), 1):
            diagnosis = {"patient": patient, "icd10": icd10, "rank": rank}
            await say("clinical", f"/episodes/{episode}/diagnoses", diagnosis, "clinician")
            track = f"late-{rank}"
            await say("scheduling", "/tracks", _track(track))
            terms = {**_contract(f"late-{rank}", 0, today), "payer_id": f"P9{rank:03d}"}
            await say("billing", "/payer-contracts", terms, "biller")
            wish = "opt-in" if rank % 2 else "opt-out"
            await say("notifications", f"/patients/{patient}/{wish}", {"channel": "email"})
        await say("audit", "/integrity-checks", None, "auditor", CHECK_MAX_S)

    async def _until_over(self, work: Any, client: str, rest: float) -> None:
        draw = Random(f"{client} {self.seed}")
        while not self.history.over:
            await work(client, draw)
            await asyncio.sleep(rest * (0.5 + draw.random()))

    async def _coordinate(self, client: str, draw: Random) -> None:
        """A referral from its arrival to the admission; whatever remains unknown ends the story."""
        self.people += 1
        name, send = f"{client} {self.people}", self.history.send
        body = _referral(self.people, self.seed, draw)
        got = await send(client, "intake", "/referrals", body, key=f"{name} referral")
        if got.outcome != "ok":
            return
        referral, patient = got.answer["referral"], got.answer["patient"]
        steps: list[tuple[str, Any]] = [("triage", {"urgency": "routine", "level_of_care": "2.1"})]
        declines = draw.random() < 0.1
        steps.append(("decline", {"reason": "patient_declined"}) if declines else ("accept", None))
        for step, said in steps:
            done = await send(client, "intake", f"/referrals/{referral}/{step}", said, key=f"{name} {step}")
            if done.outcome != "ok":
                return
        if not declines:
            await self._admit(client, name, patient, referral, draw)

    async def _admit(self, client: str, name: str, patient: str, referral: str, draw: Random) -> None:
        today = self.clock.now().date()
        track = UNPLACED if len(self.courses) % 12 == 8 else draw.choice(tuple(TRACKS))
        body = _admission(referral, track, today)
        got = await self.history.send(client, "intake", "/episodes", body, key=f"{name} admission")
        if got.outcome != "ok":
            return
        course = Course(patient, referral, got.answer["episode"], today)
        self.courses[patient] = course
        said = {"patient": patient, "icd10": "F33.1", "rank": 1}
        path = f"/episodes/{course.episode}/diagnoses"
        await self.history.send(
            client, "clinical", path, said, key=f"{name} diagnosis", role="clinician", again=True
        )

    async def _attend(self, client: str, draw: Random) -> None:
        """Each session that is over: who was there, and a signed note of it."""
        group = self.groups[client.removeprefix("clerk-")]
        for back in (1, 0):
            on = (self.clock.now() - timedelta(days=back)).date().isoformat()
            for session in await self.history.look("scheduling", f"/sessions?group={group}&on={on}"):
                if session["status"] != "cancelled" and datetime.fromisoformat(
                    session["ends_at"]
                ) < self.clock.now() - timedelta(minutes=90):
                    roster = await self.history.look("scheduling", f"/groups/{group}/roster?on={on}")
                    await self._record(client, session, roster, draw)

    async def _record(
        self, client: str, session: dict[str, Any], roster: list[dict[str, Any]], draw: Random
    ) -> None:
        id = session["session"]
        known = {operation.key for operation in self.history.operations if operation.client == client}
        for seat in roster:
            key = f"{id} {seat['patient']}"
            if key in known or self.history.over:
                continue
            member = {"patient": seat["patient"], "episode": seat["episode"]}
            # Some never come: only who misses twice in a row is written to.
            there = draw.random() < 0.9 and int(seat["patient"][0], 16) > 1
            late = timedelta(minutes=40 if draw.random() < 0.1 else 0)
            said = {"missed": {"excused": False}} if not there else _span(session, late)
            path = f"/sessions/{id}/attendance"
            got = await self.history.send(client, "scheduling", path, {**member, **said}, key=key)
            if got.outcome != "ok":
                continue
            if there and draw.random() < 0.92:
                note = {**member, "session": id, "clinician": FACILITATOR, "text": "Took part in the group."}
                done = await self.history.send(
                    client, "clinical", "/notes", note, key=f"note {key}", role="clinician", again=True
                )
                if done.outcome == "ok":
                    self.rarities.signed(done.answer["note"])
            if draw.random() < 0.1:
                await self.rarities.correct(client, got, _span(session), draw)
        if f"close {id}" not in known and not self.history.over:
            path = f"/sessions/{id}/close"
            await self.history.send(client, "scheduling", path, {"members": []}, key=f"close {id}")

    async def _measure(self, client: str, draw: Random) -> None:
        if not self.courses:
            return
        course = draw.choice(list(self.courses.values()))
        body = {
            "patient": course.patient,
            "episode": course.episode,
            "instrument": "gad-7",
            "answers": [draw.randrange(4) for _ in range(7)],
            "administered_on": (self.clock.now() - timedelta(hours=12)).date().isoformat(),
        }
        key = f"measure {len(self.history.operations)}"
        await self.history.send(client, "clinical", "/measures", body, key=key, role="clinician")

    async def _discharge(self, client: str, draw: Random) -> None:
        """Who stayed long enough leaves, and a seat is free."""
        today = self.clock.now().date()
        for course in list(self.courses.values()):
            if self.history.over:
                return
            if not course.discharged and (today - course.admitted_on).days >= STAYS_DAYS:
                course.discharged = True
                body = {"discharge_type": "completed", "discharged_on": today.isoformat()}
                path = f"/episodes/{course.episode}/discharge"
                await self.history.send(client, "intake", path, body, key=f"leave {course.episode}")

    async def _blunder(self, client: str, draw: Random) -> None:
        """Commands that must be refused, keys with another body, and the same command twice at once."""
        send, number = self.history.send, len(self.history.operations)
        if not self.courses:
            return
        course, kind = draw.choice(list(self.courses.values())), draw.randrange(4)
        if kind == 0:
            await send(client, "intake", f"/referrals/{course.referral}/accept", key=f"twice {number}")
        elif kind == 1:
            await send(client, "intake", "/referrals", {"person": {}}, key=f"malformed {number}")
        elif kind == 2:
            await self._reuse(client, course, f"reused {number}")
        else:
            person = _referral(self.people + 1_000_000 + number, self.seed, draw)
            same = [send(client, "intake", "/referrals", person, key=f"double {number}") for _ in range(3)]
            await asyncio.gather(*same)

    async def _reuse(self, client: str, course: Course, key: str) -> None:
        path = f"/episodes/{course.episode}/diagnoses"
        body = {"patient": course.patient, "icd10": "F41.1", "rank": 2}
        first = await self.history.send(client, "clinical", path, body, key=key, role="clinician")
        if first.outcome == "ok":
            other = {**body, "icd10": "F10.20"}
            await self.history.send(client, "clinical", path, other, key=key, role="clinician", reuse=True)


def _span(session: dict[str, Any], late: timedelta = timedelta()) -> dict[str, str]:
    began = datetime.fromisoformat(session["starts_at"]) + late
    return {"started_at": began.isoformat(), "ended_at": session["ends_at"]}


def _track(name: str) -> dict[str, Any]:
    return {"track": name, "site": SITE, "name": name, "weekly_minutes": 540}


def _referral(number: int, seed: int, draw: Random) -> dict[str, Any]:
    """Every tenth without an address for mails that is one, every tenth without a number at their payer."""
    mail = NO_MAIL.format(number) if number % 10 == 6 else f"reader-{seed}-{number}@mail.example.org"
    member_id = None if number % 10 == 3 else f"W{draw.randrange(10**8, 10**9)}"
    return {
        "person": {
            "family": f"Family{number}",
            "given": f"Given{seed}",
            "birth_date": (date(1960, 1, 1) + timedelta(days=draw.randrange(15_000))).isoformat(),
            "gender": "female",
            "contact": {"email": mail, "time_zone": ZONE, "address": ADDRESS},
        },
        "source_type": "hospital",
        "channel": "phone",
        "urgency": "routine",
        "reasons": ["F33.1"],
        "payer": draw.choice(PAYERS),
        "member_id": member_id,
    }


def _admission(referral: str, track: str, on: date) -> dict[str, Any]:
    return {
        "referral": referral,
        "track": track,
        "site": SITE,
        "level_of_care": "2.1",
        "admitted_on": on.isoformat(),
    }


def _group(track: str, starts: str, first: date) -> dict[str, Any]:
    return {
        "track": track,
        "name": f"{track} group",
        "weekdays": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"],
        "starts": starts,
        "minutes": 180,
        "time_zone": ZONE,
        "capacity": CAPACITY,
        "facilitator": FACILITATOR,
        "first_on": first.isoformat(),
        "last_on": (first + timedelta(days=60)).isoformat(),
    }


def _contract(payer: str, number: int, first: date) -> dict[str, Any]:
    return {
        "payer": payer,
        "contract": f"{payer}-1",
        "payer_name": payer,
        "payer_id": f"P{number:04d}",
        "filing_indicator": ("CI", "MC")[number],
        "effective_on": (first - timedelta(days=30)).isoformat(),
        "code": ("S9480", "H0015")[number],
        "amount": ("412.00", "240.00")[number],
        "min_minutes": 180,
        "discrete_code": "90853",
        "discrete_amount": ("62.00", "41.00")[number],
        "group_size_max": 12,
        "place_of_service": "57",
        "requires_auth": number == 0,
        "auth_units": 5,
        "auth_days": 84,
        "low_units": 3,
        "review_lead_days": 3,
        "timely_filing_days": 180,
        "appeal_regime": "provider_dispute",
        "dispute_days": 180,
        "appeal_levels": 2,
    }
