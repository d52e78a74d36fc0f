"""From an admission to money, on real servers and with the payer's own program: denied, appealed, paid."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.clock import SharedClock
from chassis.command import Answer, Command
from chassis.office import AdapterOffice
from deploy.local.payer import adjudication
from deploy.local.payer.answers import OVERTURNED_SHARE
from deploy.local.payer.authorizations import answer_authorization
from deploy.local.payer.claims import Claim, read_claims
from deploy.local.payer.draw import draw
from deploy.local.payer.exchange import Exchange
from deploy.local.payer.remittance import claim_number
from deploy.local.payer.requests import read_authorization_request
from services.billing.app import service as billing
from services.billing.commands.claims import RecordSubmission
from services.billing.options import Options
from services.clinical.app import service as clinical
from services.intake.app import service as intake
from services.scheduling.app import service as scheduling
from tests.conftest import Run
from tests.running import Running
from tests.services.billing.adapters.test_claim import accepted

pytestmark = pytest.mark.servers

SUNDAY = datetime(2026, 3, 8, 15, tzinfo=UTC)
BILLER = {"Caretrail-Actor": "staff-2;biller", "Caretrail-Purpose": "HPAYMT"}
EDI = {**BILLER, "Content-Type": "application/edi-x12"}
CLINICIAN = "1234567893"
CONTRACT = {
    "payer": "acme-health",
    "contract": "acme-health.2026",
    "payer_name": "ACME HEALTH PLAN",
    "payer_id": "ACME1",
    "effective_on": "2026-01-01",
    "code": "H0015",
    "amount": "400.00",
    "dispute_days": 60,
}
GROUP = {
    "track": "adult",
    "name": "Adults",
    "weekdays": ["MO", "WE"],
    "starts": "18:00",
    "minutes": 180,
    "time_zone": "America/New_York",
    "capacity": 8,
    "facilitator": CLINICIAN,
    "first_on": "2026-03-09",
    "last_on": "2026-03-11",
}
PERSON = {
    "family": "Núñez",
    "given": "Ana",
    "birth_date": "1990-04-12",
    "gender": "female",
    "contact": {
        "address": {"line": "5 Elm Street", "city": "Albany", "state": "NY", "postal_code": "12207"},
        "time_zone": "America/New_York",
    },
}


class Journey:
    """Services, the payer's folder, and the clock that all of them read."""

    def __init__(self, run: Running, clock: SharedClock, folder: Path) -> None:
        self.run, self.clock, self.folder = run, clock, folder

    async def tell(self, service: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        answer = await self.run.post(service, path, body, **headers)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ask(self, path: str) -> Any:
        answer = await self.run.get("billing", path, **BILLER)
        assert answer.is_success, answer.text
        return answer.json()

    async def before_the_payer(self, pattern: str) -> Path:
        """Wait for a file of ours."""
        async with asyncio.timeout(20):
            while not (found := sorted((self.folder / "inbound").glob(pattern))):
                await asyncio.sleep(0.02)
        return found[0]

    async def answered(self, seed: str) -> None:
        """The payer answers what is there, and billing takes it in."""
        payer = Exchange(self.folder, seed, self.clock.now)
        await asyncio.to_thread(payer.answer_all)
        await self.run.settle()

    async def at(self, moment: datetime) -> None:
        """Time passes, and what follows from it settles, files before the payer aside."""
        self.clock.move(moment)


@pytest.fixture
async def journey(running: Run, tmp_path: Path) -> AsyncIterator[Journey]:
    folder, clock = tmp_path / "payer", SharedClock(tmp_path / "clock", create=SUNDAY)
    ours = replace(billing, options=Options(exchange_dir=folder))
    services = (intake, clinical, scheduling, ours)
    async with running(*services, clock_file=tmp_path / "clock") as run:
        yield Journey(run, clock, folder)


async def admitted(journey: Journey) -> dict[str, str]:
    """A contract, a group, and a patient admitted and certified by the payer."""
    await journey.tell("billing", "/payer-contracts", CONTRACT, **BILLER)
    track = {"track": "adult", "site": "main", "name": "Adults", "weekly_minutes": 360}
    await journey.tell("scheduling", "/tracks", track)
    group = await journey.tell("scheduling", "/groups", GROUP)
    await journey.run.settle()
    body = {"person": PERSON, "source_type": "hospital", "payer": "acme-health", "member_id": "W555001"}
    referral = await journey.tell("intake", "/referrals", body)
    await journey.tell("intake", f"/referrals/{referral['referral']}/triage", {"urgency": "urgent"})
    await journey.tell("intake", f"/referrals/{referral['referral']}/accept")
    admission = {
        "referral": referral["referral"],
        "track": "adult",
        "site": "main",
        "admitted_on": "2026-03-08",
    }
    episode = (await journey.tell("intake", "/episodes", admission))["episode"]
    request = read_authorization_request((await journey.before_the_payer("auth-*.json")).read_bytes())
    await journey.answered(
        next(seed for seed in _seeds() if answer_authorization(seed, request)["action"] == "A1")
    )
    await journey.at(SUNDAY + timedelta(minutes=1))
    path = f"/episodes/{episode}/diagnoses"
    await journey.tell("clinical", path, {"patient": referral["patient"], "icd10": "F10.20", "rank": 1})
    await journey.run.settle()
    return {"patient": referral["patient"], "episode": episode, "group": group["group"]}


async def attends(journey: Journey, who: dict[str, str]) -> None:
    """Both sessions of the week, with their notes."""
    sessions = (await journey.run.get("scheduling", f"/sessions?group={who['group']}")).json()["items"]
    for session in sessions:
        ends = datetime.fromisoformat(session["ends_at"])
        await journey.at(ends + timedelta(minutes=5))
        member = {"patient": who["patient"], "episode": who["episode"]}
        times = {"started_at": session["starts_at"], "ended_at": session["ends_at"]}
        path = f"/sessions/{session['session']}/close"
        await journey.tell("scheduling", path, {"members": [member | times]})
        await journey.run.settle()
        note = {**member, "session": session["session"], "clinician": CLINICIAN, "text": "Took part."}
        await journey.tell("clinical", "/notes", note)
        await journey.run.settle()
        await journey.at(ends + timedelta(hours=12))
        await journey.run.settle()


async def test_a_denied_claim_is_appealed_and_paid(journey: Journey) -> None:
    who = await admitted(journey)
    await attends(journey, who)
    assert [one["status"] for one in (await journey.ask("/charges"))["items"]] == ["captured"] * 2

    await journey.at(datetime(2026, 3, 14, 6, 30, tzinfo=UTC))
    sent = await journey.before_the_payer("*.837")
    text = sent.read_text()
    (claim,) = read_claims(text, sent.name)
    assert accepted(text)[0]
    assert (claim.family, claim.member_id, text.count("DTP*472")) == ("NUNEZ", "W555001", 2)
    seed = next(seed for seed in _seeds() if _denies_and_yields(seed, claim))
    await journey.answered(seed)

    shown = await journey.ask(f"/claims/{claim.claim_id}")
    assert (shown["status"], shown["paid"], shown["denied"]) == ("denied", "0.00", "800.00")
    (denial,) = (await journey.ask("/denials?state=open"))["items"]
    assert denial["appeal_deadline"] == "2026-05-13"
    body = {"level": 1, "grounds": "authorization-on-file"}
    await journey.tell("billing", f"/denials/{denial['denial']}/appeals", body, **BILLER)
    await journey.before_the_payer("appeal-*.json")
    await journey.answered(seed)

    shown = await journey.ask(f"/claims/{claim.claim_id}")
    parts = ("paid", "adjustments", "patient_responsibility", "balance")
    assert sum(Decimal(shown[part]) for part in parts) == Decimal(shown["charge"]) == 800
    assert (shown["status"], shown["balance"], shown["denied"]) == ("paid", "0.00", "0.00")
    (denial,) = (await journey.ask("/denials"))["items"]
    assert (denial["outcome"], denial["recovered"]) == ("overturned", shown["paid"])
    totals = await journey.ask("/totals")
    assert (totals["claims_paid"], totals["charged"], totals["denials_open"]) == (1, "800.00", 0)


@pytest.mark.parametrize("discarded", [False, True])
async def test_an_answer_waits_until_what_it_answers_is_on_record_or_given_up(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, discarded: bool
) -> None:
    """A process that dies behind sending claims finds the answer there before it has recorded that."""
    who = await admitted(journey)
    await attends(journey, who)
    execute, recorded = AdapterOffice.execute, asyncio.Event()

    async def late(office: AdapterOffice, command: Command, key: str) -> Answer:
        if isinstance(command, RecordSubmission):
            await recorded.wait()
        return await execute(office, command, key)

    monkeypatch.setattr(AdapterOffice, "execute", late)
    await journey.at(datetime(2026, 3, 14, 6, 30, tzinfo=UTC))
    await journey.before_the_payer("*.837")
    payer = Exchange(journey.folder, "seed", journey.clock.now)
    await asyncio.to_thread(payer.answer_all)
    await asyncio.sleep(0.5)
    assert len(list((journey.folder / "outbound").glob("*.835"))) == 1
    database = journey.run.runtime("billing").ground.database
    if discarded:
        await database.rows(DISCARD)
        async with asyncio.timeout(20):
            while list((journey.folder / "outbound").glob("*.835")):
                await asyncio.sleep(0.05)
    recorded.set()
    await journey.run.settle()
    kinds = [row["type"].removeprefix("caretrail.billing.Claim") for row in await database.rows(OF_CLAIMS)]
    assert kinds.index("Submitted") == (2 if discarded else 1)
    assert (kinds[0], len(kinds)) == ("Created", 3)
    assert not list((journey.folder / "outbound").glob("*.835"))


DISCARD = b"""
insert into effects_done (effect, event_id)
select 'claim-files', id from events where type = 'caretrail.billing.ClaimBatchCut' returning event_id
"""
OF_CLAIMS = b"select type from events where stream like 'claim-%%' order by position"


async def test_a_file_is_posted_once_and_a_cent_refuses_it_whole(journey: Journey) -> None:
    who = await admitted(journey)
    await attends(journey, who)
    await journey.at(datetime(2026, 3, 14, 6, 30, tzinfo=UTC))
    sent = await journey.before_the_payer("*.837")
    (claim,) = read_claims(sent.read_text(), sent.name)
    aside = journey.folder / "aside"
    (aside / "inbound").mkdir(parents=True)
    sent.rename(aside / "inbound" / sent.name)
    await journey.run.settle()
    payer = Exchange(aside, next(s for s in _seeds() if _pays(s, claim)), journey.clock.now)
    await asyncio.to_thread(payer.answer_all)
    (remittance,) = (aside / "outbound").glob("*.835")
    data = remittance.read_bytes()

    altered = data.replace(b"SVC*HC:H0015*400*320", b"SVC*HC:H0015*400*320.01", 1)
    assert altered != data
    refused = await journey.run.post("billing", "/remittances", altered, **EDI)
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (422, "urn:caretrail:problem:RemittanceOutOfBalance")
    assert problem["places"][0]["at"].startswith("segment ")
    assert (await journey.ask("/remittances"))["items"] == []

    dry = await journey.tell("billing", "/remittances?dry_run=true", data, **EDI)
    assert (dry["posted"], (await journey.ask("/remittances"))["items"]) == (False, [])
    first = await journey.tell("billing", "/remittances", data, **EDI)
    again = await journey.tell("billing", "/remittances", data, **EDI)
    assert (first["posted"], first["duplicate"]) == (True, False)
    assert (again["posted"], again["duplicate"]) == (False, True)
    effects = [answer["remittances"][0]["caretrail"] for answer in (first, again)]
    assert effects[0] == {**effects[1], "repeated": False, "posted": 1, "parked": []}
    packed = await journey.tell("billing", "/remittances", b"\xef\xbb\xbf" + data.replace(b"\n", b""), **EDI)
    assert (packed["duplicate"], packed["remittances"][0]["caretrail"]) == (True, effects[1])
    await journey.run.settle()
    shown = await journey.ask(f"/claims/{claim.claim_id}")
    (said,) = first["remittances"][0]["claims"]
    assert (shown["charge"], shown["paid"]) == (said["charge"], said["paid"])
    assert shown["patient_responsibility"] == (said["patient_responsibility"] or "0.00")

    strange = data.replace(claim.claim_id.encode(), b"SOMEBODYELSES").replace(b"TRN*1*T", b"TRN*1*U")
    effect = (await journey.tell("billing", "/remittances", strange, **EDI))["remittances"][0]["caretrail"]
    assert (effect["posted"], effect["parked"]) == (0, [{"index": 0, "rule": "ClaimUnknown"}])
    await journey.run.settle()
    (parked,) = (await journey.ask("/remittance-review"))["items"]
    assert (parked["rule"], parked["paid"]) == ("ClaimUnknown", said["paid"])
    opened = await journey.ask(f"/remittance-review/{parked['remittance']}/{parked['index']}")
    assert opened["document"]["media_type"] == "application/edi-x12"
    await _broken_answers_are_kept(journey)


async def _broken_answers_are_kept(journey: Journey) -> None:
    """What a payer sends and nobody can read is taken aside, sealed, and on record."""
    before = len(list((journey.folder / "taken").glob("*")))
    (journey.folder / "outbound" / "broken.835").write_text("ISA*00*")
    (journey.folder / "outbound" / "auth-x.json").write_text("{}")
    stranger = {"request": str(uuid4()), "action": "A3", "from": "2026-03-01", "to": "2026-03-31"}
    (journey.folder / "outbound" / "auth-y\udcff.json").write_text(json.dumps(stranger))
    (journey.folder / "outbound" / "appeal-Marlowe.json").write_text("")
    (journey.folder / "outbound" / "Marlowe-Juniper-19910423.txt").write_bytes(b"\xff\x00")
    async with asyncio.timeout(20):
        while len(list((journey.folder / "taken").glob("*"))) < before + 5:
            await asyncio.sleep(0.05)
    await journey.run.settle()
    rows = await journey.run.runtime("billing").ground.database.rows(REFUSED)
    said = [(row["fact"]["door"], row["fact"]["rule"]) for row in rows]
    assert said == [
        ("POST /remittances", "RemittanceOutOfBalance"),
        ("exchange appeal-answer", "AnswerUnreadable"),
        ("exchange authorization-answer", "AnswerUnreadable"),
        ("exchange authorization-answer", "NotFound"),
        ("exchange remittance", "RemittanceUnreadable"),
        ("exchange unknown-file", "FileUnknown"),
    ]
    assert rows[1]["fact"]["places"] == [{"at": "", "expected": "a document of JSON"}]
    assert "Marlowe" not in str(rows)
    failures = {each["about"]: each for each in (await journey.ask("/exchange-failures"))["items"]}
    told = {(one["kind"], one["rule"]) for row in rows[1:] for one in [failures[row["stream"][-36:]]]}
    assert told == {(door.removeprefix("exchange "), rule) for door, rule in said[1:]}


REFUSED = b"""
with refused as (
    select stream, convert_from(body, 'UTF8')::jsonb as fact from events
    where type = 'caretrail.system.InputRefused'
)
select * from refused order by fact ->> 'door', fact ->> 'rule'
"""


def _seeds() -> Any:
    return (f"seed-{number}" for number in range(2_000))


def _denies_and_yields(seed: str, claim: Claim) -> bool:
    """Whether the payer denies the claim as a whole and overturns that on appeal."""
    if adjudication.decide(seed, claim).status != adjudication.DENIED:
        return False
    return draw(seed, "appeal", claim_number(seed, claim), "1") < OVERTURNED_SHARE


def _pays(seed: str, claim: Claim) -> bool:
    decided = adjudication.decide(seed, claim)
    return all(line.paid == 320 for line in decided.lines)
