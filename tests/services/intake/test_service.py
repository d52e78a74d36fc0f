"""Intake as its users meet it: over HTTP, on real servers."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from chassis.config import Settings
from services.intake.app import service
from tests.conftest import Run
from tests.operations.test_restoring import admin
from tests.running import STAFF, Running

pytestmark = pytest.mark.servers

ANA = {"family": "Rivera-Ortiz", "given": "Ana", "birth_date": "1990-04-12", "gender": "female"}


def referral(**changes: Any) -> dict[str, Any]:
    return {"person": ANA, "source_type": "hospital", "urgency": "urgent", "payer": "acme", **changes}


async def test_a_referral_becomes_an_admission(running: Run) -> None:
    async with running(service) as run:
        got = (await run.post("intake", "/referrals", referral(member_id="W123"))).json()
        path = f"/referrals/{got['referral']}"
        await run.post("intake", f"{path}/triage", {"urgency": "stat"})
        accepted = (await run.post("intake", f"{path}/accept")).json()
        shown = await run.get("intake", path, **{"Caretrail-After": str(accepted["position"])})
        assert shown.json()["status"] == "accepted"
        today = run.runtime("intake").ground.clock.now().date().isoformat()
        body = {"referral": got["referral"], "track": "adult", "site": "main", "admitted_on": today}
        admitted = await run.post("intake", "/episodes", body)
        assert admitted.status_code == 201, admitted.text
        census = await run.get("intake", "/census", **{"Caretrail-After": str(admitted.json()["position"])})
        assert [item["patient"] for item in census.json()["items"]] == [got["patient"]]


async def test_the_same_person_has_one_pseudonym_and_what_identifies_them_is_stored_nowhere(
    running: Run,
) -> None:
    async with running(service) as run:
        first = (await run.post("intake", "/referrals", referral())).json()
        person = {**ANA, "family": "RIVERA ORTIZ"}
        second = (await run.post("intake", "/referrals", referral(person=person, source_type="pcp"))).json()
        assert second["patient"] == first["patient"]
        assert (first["known"], second["known"]) == (False, True)
        assert not await _stored(run, "Rivera", "1990-04-12")


async def _stored(run: Running, *words: str) -> bool:
    """Whether any column of any table holds one of the words."""
    database = run.runtime("intake").ground.database
    for table in await database.rows("select tablename as name from pg_tables where schemaname = 'public'"):
        rows = await database.rows(f"select t::text as row, t from {table['name']} t".encode())
        text = " ".join(row["row"] for row in rows)
        bodies = await database.rows(b"select convert_from(body, 'UTF8') as body from events")
        text += " ".join(row["body"] for row in bodies)
        if any(word.lower() in text.lower() for word in words):
            return True
    return False


async def test_opening_a_person_leaves_an_access_record_first(running: Run) -> None:
    async with running(service) as run:
        got = (await run.post("intake", "/referrals", referral())).json()
        path = f"/patients/{got['patient']}"
        after = {"Caretrail-After": str(got["position"])}
        assert (await run.get("intake", path, **after)).json()["name"] == "‹sealed›"
        opened = (await run.get("intake", f"{path}?open=true", **after)).json()
        assert opened["name"] == {"family": "Rivera-Ortiz", "given": "Ana"}
        assert opened["birth_date"] == "1990-04-12"
        records = await run.runtime("intake").ground.store.read(0, 100)
        types = [record.envelope.type for record in records]
        assert types.count("caretrail.system.AccessRecorded") == 1


async def test_what_a_lost_key_sealed_is_shown_as_unreadable_and_the_rest_of_the_record_is_there(
    running: Run, settings: Settings
) -> None:
    """The keystore went back to before the person, whose events the topic gave back; a command issues one."""
    async with running(service) as run:
        got = (await run.post("intake", "/referrals", referral(), key="k")).json()
    admin(
        settings,
        f"delete from keys where owner = '{got['patient']}'",
        database=f"{settings.database_prefix}_keystore",
    )
    async with running(service) as run:
        path = f"/patients/{got['patient']}"
        assert (await run.post("intake", "/referrals", referral(), key="k")).json()["repeated"]
        contact, sent = {"email": "ana@example.org"}, {**STAFF, "Idempotency-Key": "c"}
        changed = await run.clients["intake"].put(f"{path}/contact", json=contact, headers=sent)
        after = {"Caretrail-After": str(changed.json()["position"])}
        with capture_logs() as logged:
            shown = await run.get("intake", f"{path}?open=true", **after)
    assert shown.status_code == 200
    row = shown.json()
    assert (row["name"], row["birth_date"], row["gender"]) == ("‹unreadable›", "‹unreadable›", "female")
    assert row["email"] == "ana@example.org"
    told = [line for line in logged if line["log_level"] == "error"]
    assert told == [{"event": "value_does_not_open", "log_level": "error", "owner": "patient"}] * 2


async def test_a_malformed_referral_names_places_and_leaves_its_key_reusable(running: Run) -> None:
    async with running(service) as run:
        bad = referral(person={**ANA, "birth_date": "1990-02-31"}, urgency="soon")
        refused = await run.post("intake", "/referrals", bad, key="k")
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        assert [place["at"] for place in refused.json()["places"]] == ["/person/birth_date", "/urgency"]
        assert "1990-02-31" not in refused.text
        records = await run.runtime("intake").ground.store.read(0, 100)
        assert [record.envelope.type for record in records] == ["caretrail.system.InputRefused"]
        assert (await run.post("intake", "/referrals", referral(), key="k")).status_code == 201


FHIR = {
    "resourceType": "ServiceRequest",
    "id": "sr-1",
    "status": "active",
    "intent": "order",
    "priority": "urgent",
    "identifier": [{"system": "urn:x", "value": "R-77"}],
    "subject": {"reference": "#p"},
    "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]}],
    "contained": [
        {
            "resourceType": "Patient",
            "id": "p",
            "name": [{"family": "Okafor", "given": ["Ben"]}],
            "birthDate": "1985-07-01",
        }
    ],
}


async def test_a_fhir_referral_goes_in_once(running: Run) -> None:
    async with running(service) as run:
        first = await run.post("intake", "/referrals/fhir", FHIR)
        assert first.status_code == 201, first.text
        (answer,) = first.json()
        assert answer["patient"] == {"family": "Okafor", "given": "Ben", "birth_date": "1985-07-01"}
        assert (answer["reason"], answer["urgency"]) == (["F33.1"], "urgent")
        (again,) = (await run.post("intake", "/referrals/fhir", FHIR)).json()
        assert again["caretrail"] == {**answer["caretrail"], "known": True, "repeated": True}
        other = {**FHIR, "identifier": [{"system": "urn:x", "value": "R-78"}]}
        told = [(await run.post("intake", "/referrals/fhir", other)).json()[0]["caretrail"] for _ in range(2)]
        assert [(each["duplicate"], each["repeated"]) for each in told] == [(True, False), (True, True)]


async def test_a_broken_fhir_file_is_refused_with_its_place(running: Run) -> None:
    async with running(service) as run:
        bad = json.loads(json.dumps(FHIR))
        for day in ("1985-13-01", "2999-01-01"):
            bad["contained"][0]["birthDate"] = day
            refused = await run.post("intake", "/referrals/fhir", bad)
            assert refused.status_code == 422
            assert refused.json()["places"][0]["at"] == "/contained/0/birthDate"
            assert day not in refused.text
        about_nobody = {key: value for key, value in FHIR.items() if key not in ("subject", "contained")}
        refused = await run.post("intake", "/referrals/fhir", about_nobody)
        assert (refused.status_code, refused.json()["places"][0]["at"]) == (422, "/subject")


async def test_two_senders_may_use_one_number(running: Run) -> None:
    async with running(service) as run:
        other = json.loads(json.dumps(FHIR))
        other["contained"][0]["birthDate"] = "1985-07-02"
        (first,) = (await run.post("intake", "/referrals/fhir", FHIR)).json()
        (second,) = (await run.post("intake", "/referrals/fhir", other)).json()
        assert second["caretrail"]["patient"] != first["caretrail"]["patient"]
        assert not second["caretrail"]["repeated"]


async def test_what_does_not_fit_a_code_is_kept_sealed(running: Run) -> None:
    async with running(service) as run:
        vague = json.loads(json.dumps(FHIR))
        vague["reasonCode"].append({"text": "not sleeping"})
        vague["insurance"] = [{"display": "Ben Okafor, self pay"}]
        vague["contained"][0]["address"] = [{"text": "by the river"}]
        (answer,) = (await run.post("intake", "/referrals/fhir", vague)).json()
        after = {"Caretrail-After": str(answer["caretrail"]["position"])}
        path = f"/referrals/{answer['caretrail']['referral']}"
        closed = (await run.get("intake", path, **after)).json()
        assert (closed["payer"], closed["payer_name"], closed["note"]) == (None, "‹sealed›", "‹sealed›")
        shown = (await run.get("intake", f"{path}?open=true")).json()
        assert shown["payer_name"] == "Ben Okafor, self pay"
        assert "not sleeping" in shown["note"]


async def test_files_given_together_are_named_by_their_place(running: Run) -> None:
    async with running(service) as run:
        files = [{"name": "okafor.json", "content": json.dumps(FHIR)}, {"name": "b", "content": "{"}]
        refused = await run.post("intake", "/referrals/fhir", files)
        assert refused.status_code == 422
        assert refused.json()["places"][0]["at"].startswith("/1/content#")
        assert "okafor" not in refused.text


@pytest.mark.parametrize("day", ["2999-01-01", "1799-01-01"])
async def test_an_impossible_birth_date_is_refused_at_the_door(running: Run, day: str) -> None:
    async with running(service) as run:
        refused = await run.post("intake", "/referrals", referral(person={**ANA, "birth_date": day}))
        assert (refused.status_code, refused.json()["places"][0]["at"]) == (422, "/person/birth_date")
        assert day not in refused.text


async def test_persons_are_found_by_name_and_birth_date_alone(running: Run) -> None:
    async with running(service) as run:
        got = (await run.post("intake", "/referrals", referral())).json()
        query = "family=rivera+ortiz&given=ANA&birth_date="
        found = await run.get("intake", f"/patients?{query}1990-04-12")
        assert found.json() == {"items": [got["patient"]]}
        assert (await run.get("intake", f"/patients?{query}1990-04-13")).json() == {"items": []}


async def test_a_contact_is_changed_for_a_known_patient_alone(running: Run) -> None:
    async with running(service) as run:
        got = (await run.post("intake", "/referrals", referral())).json()
        client, headers = run.clients["intake"], {**STAFF, "Idempotency-Key": "c"}
        body = {"email": "reader-9@example.org", "time_zone": "America/Denver"}
        changed = await client.put(f"/patients/{got['patient']}/contact", json=body, headers=headers)
        after = {"Caretrail-After": str(changed.json()["position"])}
        shown = (await run.get("intake", f"/patients/{got['patient']}?open=true", **after)).json()
        assert (shown["email"], shown["time_zone"]) == ("reader-9@example.org", "America/Denver")
        unknown = await client.put(f"/patients/{UUID(int=7)}/contact", json=body, headers=headers)
        assert unknown.status_code == 404


async def test_a_repeat_gives_the_first_answer_and_another_body_is_refused(running: Run) -> None:
    async with running(service) as run:
        first = (await run.post("intake", "/referrals", referral(), key="k")).json()
        again = (await run.post("intake", "/referrals", referral(), key="k")).json()
        assert again == {**first, "repeated": True}
        other = await run.post("intake", "/referrals", referral(urgency="stat"), key="k")
        assert (other.status_code, other.json()["type"]) == (422, "urn:caretrail:problem:KeyReused")


async def test_a_duplicate_is_told_at_once_and_listed_as_such(running: Run) -> None:
    async with running(service) as run:
        first = (await run.post("intake", "/referrals", referral())).json()
        second = (await run.post("intake", "/referrals", referral())).json()
        assert (first["duplicate"], second["duplicate"]) == (False, True)
        after = {"Caretrail-After": str(second["position"])}
        listed = (await run.get("intake", "/referrals?status=duplicate", **after)).json()["items"]
        assert [item["duplicate_of"] for item in listed] == [first["referral"]]
        refused = await run.post("intake", f"/referrals/{second['referral']}/accept")
        assert (refused.status_code, refused.json()["type"][-19:]) == (409, "ReferralIsDuplicate")


async def test_a_blank_name_is_none(running: Run) -> None:
    async with running(service) as run:
        for blank in ("   ", "\u200b"):
            silent = json.loads(json.dumps(FHIR))
            silent["contained"][0]["name"] = [{"family": blank, "given": [blank]}]
            (answer,) = (await run.post("intake", "/referrals/fhir", silent)).json()
            assert "the person has no name" in answer["caretrail"]["findings"][-1]


async def test_a_referral_that_names_nobody_goes_in_and_says_so(running: Run) -> None:
    async with running(service) as run:
        silent = {key: value for key, value in FHIR.items() if key != "contained"}
        silent["subject"] = {"reference": "Patient/9"}
        (answer,) = (await run.post("intake", "/referrals/fhir", silent)).json()
        assert answer["patient"] == {"family": None, "given": None, "birth_date": None}
        assert "the person has no name" in answer["caretrail"]["findings"][-1]
        (again,) = (await run.post("intake", "/referrals/fhir", silent)).json()
        assert again["caretrail"]["repeated"]
