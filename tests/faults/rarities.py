"""What is rare in a program, so that every reaction has its turn: screens, corrections, denials, files twice.

Seldom enough that nobody waits for it, and often enough that a round of three minutes lacks nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from tests.faults.history import History, Operation
from tests.faults.turning import Turning

if TYPE_CHECKING:
    from tests.faults.load import Course

NO_MAIL = "reader-({}@mail.example.org"
"""Intake takes it, and it is no address that a mail can have: the message fails for good."""

UNPLACED = "adult-weekend"
"""A track that has no groups."""

NOTES_MAX = 200
URGENT = ("crisis", "risk", "call_patient")
"""Tasks that go on to the next person every quarter of an hour, until somebody takes them."""


@dataclass
class Rarities:
    """Clients who each do one rare thing now and then."""

    history: History
    clock: Turning
    courses: Mapping[str, Course]
    groups: Mapping[str, str]
    seed: int
    notes: list[tuple[str, datetime]] = field(default_factory=list)
    """Signed notes, and when."""

    looked_at: int = 0
    """Up to which position the staff has seen what is to do."""

    appealed: bool = False
    """Whether an appeal went through: the first denial is not written off."""

    @property
    def clients(self) -> dict[str, tuple[Any, float]]:
        """What each does, and how long they rest between, in seconds."""
        return {
            "twins": (self.refer_twice, 2.0),
            "screener": (self.screen, 1.5),
            "scheduler": (self.cancel, 8.0),
            "withdrawer": (self.withdraw, 4.0),
            "biller": (self.bill, 6.0),
            "staff": (self.take_tasks, 1.0),
        }

    async def refer_twice(self, client: str, draw: Random) -> None:
        """A person under two keys at once, and every other one with their sender's number."""
        number = len(self.history.operations)
        person = {
            "family": f"Twin{number}",
            "given": f"Given{self.seed}",
            "birth_date": f"19{draw.randrange(50, 99)}-0{draw.randrange(1, 10)}-11",
        }
        body: dict[str, Any] = {"person": person, "source_type": "hospital"}
        if draw.random() < 0.5:
            body["external_id"] = f"S-{self.seed}-{number}"
        keys = [f"twin {number} {each}" for each in ("a", "b")]
        await asyncio.gather(
            *(self.history.send(client, "intake", "/referrals", body, key=key) for key in keys)
        )

    async def screen(self, client: str, draw: Random) -> None:
        """Measures that ask for a screen, screens, and a clinician's word."""
        if not self.courses:
            return
        course, number = draw.choice(list(self.courses.values())), len(self.history.operations)
        kind = draw.randrange(4)
        if kind == 0:
            body: dict[str, Any] = {
                "patient": course.patient,
                "episode": course.episode,
                "instrument": "phq-9",
                "answers": [draw.randrange(4) for _ in range(8)] + [1],
                "administered_on": (self.clock.now() - timedelta(hours=12)).date().isoformat(),
            }
            path = "/measures"
        elif kind == 3:
            body = {"level": draw.choice(("low", "moderate", "high")), "rationale": "Spoke with the family."}
            path = f"/patients/{course.patient}/risk"
        else:
            answers = (["yes", "no", None, None, None, None], ["yes", "yes", "yes", "yes", "no", "no"])
            body = {"patient": course.patient, "form": "lifetime_recent", "answers": answers[kind - 1]}
            path = "/risk-screens"
        await self.history.send(client, "clinical", path, body, key=f"screen {number}", role="clinician")

    async def cancel(self, client: str, draw: Random) -> None:
        """Call off a session of later weeks: its members are told, and nobody need be reminded."""
        group, on = draw.choice(list(self.groups.values())), self.clock.now() + timedelta(days=8)
        day = (on + timedelta(days=draw.randrange(40))).date().isoformat()
        query = f"/sessions?group={group}&on={day}&status=scheduled"
        for session in (await self.history.look("scheduling", query))[:1]:
            path, said = f"/sessions/{session['session']}/cancel", {"reason": "facilitator-ill"}
            await self.history.send(client, "scheduling", path, said, key=f"cancel {session['session']}")

    async def correct(self, client: str, recorded: Operation, span: dict[str, str], draw: Random) -> None:
        """What was recorded was otherwise: who was there was not, and the other way round."""
        there = "missed" not in recorded.body
        said: dict[str, Any] = {"missed": {"excused": False}} if there else span
        said = {**said, "reason": "sign-in-sheet", "approver": "supervisor-1"}
        path = f"/attendance/{recorded.answer['attendance']}/correct"
        await self.history.send(client, "scheduling", path, said, key=f"correct {recorded.key}")

    async def withdraw(self, client: str, draw: Random) -> None:
        """Take a note out of force: one that is a day old, so that it may be on a claim."""
        old = [note for note in self.notes if note[1] < self.clock.now() - timedelta(days=1.5)]
        if old:
            note = draw.choice(old)
            self.notes.remove(note)
            path, key = f"/notes/{note[0]}/withdraw", f"withdraw {note[0]}"
            said = {"reason": "wrong-session"}
            await self.history.send(client, "clinical", path, said, key=key, role="clinician")

    def signed(self, note: str) -> None:
        """A note that may be withdrawn later."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append((note, self.clock.now()))

    async def bill(self, client: str, draw: Random) -> None:
        """Cut claims within the week, ask for more, appeal, and post a payer's file under two keys."""
        number, send = len(self.history.operations), self.history.send
        payer = draw.choice(("acme-health", "state-medicaid"))
        said: Any = {"payer": payer}
        await send(client, "billing", "/claim-batches", said, key=f"cut {number}", role="biller")
        await self._ask_for_more(client, draw)
        for denial in (await self.history.look("billing", "/denials?state=open"))[:2]:
            path = f"/denials/{denial['denial']}/appeals"
            said = {"level": 1, "grounds": "authorization-on-file"}
            if self.appealed and draw.random() < 0.3:
                path, said = f"/denials/{denial['denial']}/close", {"outcome": "written-off"}
            got = await send(client, "billing", path, said, key=f"deny {denial['denial']}", role="biller")
            self.appealed = self.appealed or got.outcome == "ok"
        paid = await self.history.look("billing", "/claims?status=paid")
        part = [one for one in paid if one["paid"] != one["charge"]]
        text = remittance(f"T{self.seed}-{number}", part[:1], part[1:2])
        keys = [f"file {number} {each}" for each in ("a", "b")]
        await asyncio.gather(
            *(send(client, "billing", "/remittances", text, key=key, role="biller") for key in keys)
        )

    async def _ask_for_more(self, client: str, draw: Random) -> None:
        """Concurrent reviews, of episodes that billing knows: the payer says no to some."""
        today = self.clock.now().date()
        known = await self.history.look("billing", "/authorizations?limit=500")
        for episode in draw.sample([one["episode"] for one in known], min(2, len(known))):
            path, key = f"/episodes/{episode}/authorizations", f"more {episode} {today}"
            ends = (today + timedelta(days=30)).isoformat()
            said = {"units": 6, "starts_on": today.isoformat(), "ends_on": ends}
            await self.history.send(client, "billing", path, said, key=key, role="biller")

    async def take_tasks(self, client: str, draw: Random) -> None:
        """Take urgent tasks on, and be done with some."""
        tasks = await self.history.look(
            "notifications", f"/tasks?state=open&after={self.looked_at}&limit=500"
        )
        for task in tasks:
            if self.history.over:
                return
            self.looked_at = task["position"]
            if task["kind"] not in URGENT:
                continue
            path, key = f"/tasks/{task['task']}", task["task"]
            await self.history.send(
                client, "notifications", f"{path}/acknowledge", key=f"take {key}", again=True
            )
            if draw.random() < 0.5:
                said = {"outcome": "called"}
                await self.history.send(client, "notifications", f"{path}/complete", said, key=f"do {key}")


def remittance(trace: str, paid: list[dict[str, Any]], denied: list[dict[str, Any]]) -> str:
    """An 835 that decides paid claims again, for a reason that no table has, and a claim that nobody sent.

    Others that were paid are denied, for want of an authorization: the payer itself denies too few.
    """
    rows = [
        "ST*835*0001",
        "BPR*H*0*C*NON************20260304",
        f"TRN*1*{trace}*1999999999",
        "N1*PR*LOCAL HEALTH PLAN",
        "N1*PE*CARETRAIL*XX*1234567893",
        "LX*1",
    ]
    for claim in [*paid, *denied]:
        charge, amount = Decimal(claim["charge"]), Decimal(claim["paid"])
        rows.append(f"CLP*{claim['number']}*22*{-charge}*{-amount}**12*P{trace}")
        rows.append(f"CAS*OA*23*{amount - charge}")
        if claim in denied:
            rows.append(f"CLP*{claim['number']}*4*{charge}*0**12*P{trace}")
            rows.append(f"CAS*CO*197*{charge}")
        else:
            rows.append(f"CLP*{claim['number']}*1*{charge}*{amount}**12*P{trace}")
            rows.append(f"CAS*OA*999*{charge - amount}")
    rows += [f"CLP*NOSUCHCLAIM*1*100*0**12*P{trace}", "CAS*OA*23*100"]
    if owed := sum(Decimal(claim["paid"]) for claim in denied):
        rows.append(f"PLB*1234567893*20261231*FB:P{trace}*{-owed}")
    rows.append(f"SE*{len(rows) + 1}*0001")
    blank = " " * 10
    envelope = [
        f"ISA*00*{blank}*00*{blank}*ZZ*{'PAYER':15}*ZZ*{'CLINIC':15}*260304*0800*^*00501*000000905*0*P*:",
        "GS*HP*PAYER*CLINIC*20260304*0800*905*X*005010X221A1",
        *rows,
        "GE*1*905",
        "IEA*1*000000905",
    ]
    return "".join(f"{row}~" for row in envelope)
