"""What people do in the play: arrive, attend, answer measures, sign notes, act on tasks, leave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from deploy.local.demo.cohort import Patient
from deploy.local.demo.driver import Driver
from deploy.local.demo.setting import FACILITATORS, SITE

SAFETY_KINDS = ("risk", "crisis", "call_patient")
"""Tasks that somebody of the staff answers the same evening."""


@dataclass
class Course:
    """A patient's course through the program."""

    patient: Patient
    id: str
    referral: str
    episode: str = ""
    admitted: bool = False
    attended: set[str] = field(default_factory=set)


class People:
    """Patients and staff."""

    def __init__(self, driver: Driver, seed: int, groups: dict[str, str]) -> None:
        self._driver, self._seed, self._groups = driver, seed, groups
        self.courses: list[Course] = []
        self._sessions: dict[tuple[str, str], dict[str, Any]] = {}
        self._appealed: set[str] = set()

    async def arrive(self, patients: list[Patient]) -> None:
        """The day's referrals are received, triaged and decided; who is taken on is admitted."""
        courses = await asyncio.gather(*(self._refer(patient) for patient in patients))
        self.courses += courses
        await self._driver.quiet()
        await asyncio.gather(*(self._decide(course) for course in courses))
        await self._driver.quiet()
        await asyncio.gather(*(self._admit(course) for course in courses if course.admitted))
        await self._driver.quiet()
        await asyncio.gather(*(self._diagnose(course) for course in courses if course.admitted))
        await self._driver.quiet()

    async def _refer(self, patient: Patient) -> Course:
        key = f"patient {patient.number} referral"
        got = await self._driver.post("intake", "/referrals", _referral(patient), key=key)
        return Course(patient, got["patient"], got["referral"], admitted=not patient.declines)

    async def _decide(self, course: Course) -> None:
        post, key = self._driver.post, f"patient {course.patient.number}"
        path = f"/referrals/{course.referral}"
        level = {"urgency": course.patient.urgency, "level_of_care": "2.1"}
        await post("intake", f"{path}/triage", level, key=f"{key} triage")
        if course.admitted:
            await post("intake", f"{path}/accept", key=f"{key} accept")
        else:
            await post("intake", f"{path}/decline", {"reason": "patient_declined"}, key=f"{key} decline")

    async def _admit(self, course: Course) -> None:
        body = {
            "referral": course.referral,
            "track": course.patient.track,
            "site": SITE,
            "level_of_care": "2.1",
            "admitted_on": self._driver.now.date().isoformat(),
        }
        key = f"patient {course.patient.number} admission"
        admitted = await self._driver.post("intake", "/episodes", body, key=key)
        course.episode = admitted["episode"]

    async def _diagnose(self, course: Course) -> None:
        body = {"patient": course.id, "icd10": course.patient.reason, "rank": 1}
        path, key = f"/episodes/{course.episode}/diagnoses", f"patient {course.patient.number} diagnosis"
        await self._driver.post("clinical", path, body, key=key, role="clinician")

    async def judge_risks(self) -> None:
        """A clinician finds the risk of those who were at risk lower, and says why."""
        for course in self.courses:
            if course.patient.at_risk and course.admitted:
                body = {"level": "low", "rationale": "Safety plan holds; no thoughts for two weeks."}
                path, key = f"/patients/{course.id}/risk", f"patient {course.patient.number} calmer"
                await self._driver.post("clinical", path, body, key=key, role="clinician")

    async def attend(self, day: date) -> None:
        """Staff close the day's sessions with what each member did."""
        for track, group in self._groups.items():
            session = await self._session(group, day)
            if session is None:
                continue
            roster = await self._driver.all("scheduling", f"/groups/{group}/roster?on={day.isoformat()}")
            members = [self._member(session, seat) for seat in sorted(roster, key=lambda seat: seat["seat"])]
            path = f"/sessions/{session['session']}/close"
            await self._driver.post("scheduling", path, {"members": members}, key=f"close {track} {day}")

    async def _session(self, group: str, day: date) -> dict[str, Any] | None:
        found = await self._driver.all("scheduling", f"/sessions?group={group}&on={day.isoformat()}")
        if not found:
            return None
        self._sessions[group, day.isoformat()] = found[0]
        return dict(found[0])

    def _member(self, session: dict[str, Any], seat: dict[str, Any]) -> dict[str, Any]:
        course = next(course for course in self.courses if course.id == seat["patient"])
        draw = Random(f"attends {self._seed} {course.patient.number} {session['starts_at']}")
        said: dict[str, Any] = {"patient": course.id, "episode": course.episode}
        if draw.random() > course.patient.attends:
            reason = draw.choice(("illness", "transport", "work", None))
            return {**said, "missed": {"excused": reason == "illness", "reason": reason}}
        course.attended.add(session["session"])
        starts, ends = (datetime.fromisoformat(session[name]) for name in ("starts_at", "ends_at"))
        if draw.random() < 0.06:
            starts += timedelta(minutes=draw.choice((12, 25, 40)))
            said["cause"] = "late"
        return {**said, "started_at": starts.isoformat(), "ended_at": ends.isoformat()}

    async def sign_notes(self, day: date) -> None:
        """The clinician signs a note for each member who was there; one in fifty is forgotten."""
        signing = []
        for track, group in self._groups.items():
            session = self._sessions.get((group, day.isoformat()))
            id = session["session"] if session else ""
            signing += [self._sign(c, id, FACILITATORS[track]) for c in self.courses if id in c.attended]
        await asyncio.gather(*signing)

    async def _sign(self, course: Course, session: str, clinician: str) -> None:
        if Random(f"note {self._seed} {course.patient.number} {session}").random() < 0.02:
            return
        body = {
            "patient": course.id,
            "episode": course.episode,
            "session": session,
            "clinician": clinician,
            "text": "Took part in group work on coping skills.",
        }
        key = f"note {course.patient.number} {session}"
        await self._driver.post("clinical", "/notes", body, key=key, role="clinician")

    async def measure(self, course: Course, instrument: str, answers: list[int | None], week: int) -> None:
        """A patient answers a measure; where a screen is asked for, a clinician takes it at once."""
        key = f"{instrument} {course.patient.number} {week}"
        body = {
            "patient": course.id,
            "episode": course.episode,
            "instrument": instrument,
            "answers": answers,
            "administered_on": (self._driver.now - timedelta(hours=6)).date().isoformat(),
        }
        got = await self._driver.post("clinical", "/measures", body, key=key, role="clinician")
        if got.get("screen_due"):
            moderate = course.patient.at_risk and week == 0
            screen = ["yes", "yes", "yes" if moderate else "no", "no", "no", "no"]
            found = {"patient": course.id, "form": "lifetime_recent", "answers": screen}
            await self._driver.post("clinical", "/risk-screens", found, key=f"screen {key}", role="clinician")

    async def answer_tasks(self) -> None:
        """The on-call person acknowledges and completes what concerns safety."""
        tasks = await self._driver.all("notifications", "/tasks?state=open")
        for task in sorted(tasks, key=lambda task: task["task"]):
            if task["kind"] in SAFETY_KINDS:
                path, key = f"/tasks/{task['task']}", f"task {task['task']}"
                await self._driver.post(
                    "notifications", f"{path}/acknowledge", key=f"{key} ack", role="on-call"
                )
                done = {"outcome": "spoken-to-patient"}
                await self._driver.post(
                    "notifications", f"{path}/complete", done, key=f"{key} done", role="on-call"
                )
        await self._driver.quiet()

    async def work_denials(self) -> None:
        """Billers appeal each denial once."""
        for denial in sorted(await self._driver.all("billing", "/denials"), key=lambda one: one["denial"]):
            id = denial["denial"]
            if id not in self._appealed:
                self._appealed.add(id)
                body = {"level": 1, "grounds": "medical-necessity"}
                await self._driver.post(
                    "billing", f"/denials/{id}/appeals", body, key=f"appeal {id}", role="biller"
                )
        await self._driver.quiet()

    async def leave_all(self, day: date) -> None:
        """Everybody who is still here is discharged."""
        await asyncio.gather(*(self._leave(course, day) for course in self.courses if course.admitted))
        await self._driver.quiet()

    async def _leave(self, course: Course, day: date) -> None:
        kind = "completed" if course.patient.attends > 0.7 else "lost_contact"
        body = {"discharge_type": kind, "discharged_on": day.isoformat()}
        path, key = f"/episodes/{course.episode}/discharge", f"patient {course.patient.number} discharge"
        await self._driver.post("intake", path, body, key=key)


def _referral(patient: Patient) -> dict[str, Any]:
    return {
        "person": {
            "family": patient.family,
            "given": patient.given,
            "birth_date": patient.birth_date.isoformat(),
            "gender": patient.gender,
            "contact": {
                "email": patient.email,
                "time_zone": patient.zone,
                "address": {
                    "line": patient.street,
                    "city": "Albany",
                    "state": "NY",
                    "postal_code": "12207",
                },
            },
        },
        "source_type": patient.source,
        "channel": "phone",
        "urgency": patient.urgency,
        "reasons": [patient.reason],
        "payer": patient.payer,
        "member_id": patient.member_id,
    }
