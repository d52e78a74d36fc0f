"""`caretrail ingest`: dry runs read only, posts carry everything a service needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.double import serving

REFERRAL = {
    "resourceType": "ServiceRequest", "id": "r1", "status": "active", "intent": "order", "priority": "urgent",
    "subject": {"reference": "#p"},
    "contained": [{
        "resourceType": "Patient", "id": "p", "birthDate": "1990-05-17",
        "name": [{"family": "Alvarez", "given": ["Ana"]}],
    }],
    "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F33.1"}]}],
}  # fmt: skip
ANSWER = {
    "referral": "r1",
    "patient": {"family": "Alvarez", "given": "Ana", "birth_date": "1990-05-17"},
    "reason": ["F33.1"],
    "requester": None,
    "urgency": "urgent",
    "payer": None,
}
REMITTANCE = {
    "trace": "8123456789",
    "total": "168.00",
    "claims": [
        {
            "claim": "CT7K2M9QX4", "status": "1", "charge": "210.00", "paid": "0.00",
            "patient_responsibility": None, "denied": True,
            "adjustments": [{"group": "CO", "reason": "197", "amount": "210.00"}],
        }
    ],
}  # fmt: skip


@pytest.fixture
def referral(tmp_path: Path) -> Path:
    path = tmp_path / "referral.json"
    path.write_text(json.dumps(REFERRAL))
    return path


@pytest.fixture
def remittance(tmp_path: Path) -> Path:
    path = tmp_path / "payer.835"
    path.write_bytes(b"\xe9 is no business of the command line")
    return path


def test_a_dry_run_needs_no_stack_and_nobody_s_name(run: Run, referral: Path) -> None:
    answer = run("ingest", "referral", referral, "--dry-run", "--json", user=False)
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == [ANSWER]


def test_a_dry_run_shows_what_the_file_says(run: Run, referral: Path) -> None:
    answer = run("ingest", "referral", referral, "--dry-run", columns=80)
    for shown in ("r1", "Ana Alvarez", "1990-05-17", "F33.1", "urgent", "1 referral"):
        assert shown in answer.stdout


def test_a_file_that_is_no_referral_is_refused_with_its_place(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "patient.json"
    path.write_text('{"resourceType": "Patient", "birthDate": 17}')
    answer = run("ingest", "referral", path, "--dry-run")
    assert answer.exit_code == 1
    assert "patient.json#" in answer.stderr
    assert answer.stdout == ""


def test_a_file_that_is_no_remittance_is_refused_with_its_segment(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.835"
    path.write_text("ST*835*0001~")
    answer = run("ingest", "remittance", path, "--dry-run", "--json")
    assert answer.exit_code == 1
    assert "segment 1" in json.loads(answer.stderr)["places"][0]["at"]


def test_referrals_are_posted_together_with_a_key_and_a_name(run: Run, stack: Any, referral: Path) -> None:
    with serving(lambda asked: (201, [ANSWER])) as intake:
        stack(intake=intake.url)
        answer = run("ingest", "referral", referral, "--source-type", "pcp", "--json")
    (asked,) = intake.asked
    assert json.loads(answer.stdout) == [ANSWER]
    assert (asked.method, asked.path, asked.query) == ("POST", "/referrals/fhir", {"source_type": "pcp"})
    assert asked.json() == [{"name": "referral.json", "content": json.dumps(REFERRAL)}]
    assert asked.headers["idempotency-key"]
    assert asked.headers["caretrail-actor"] == "ana;coordinator"


def test_a_referral_that_came_before_says_so(run: Run, stack: Any, referral: Path) -> None:
    ids = {"referral": "398ad50c", "patient": "5c83405b", "known": True, "repeated": True}
    with serving(lambda asked: (201, [{**ANSWER, "caretrail": ids}])) as intake:
        stack(intake=intake.url)
        answer = run("ingest", "referral", referral, columns=80)
    for shown in ("came before: nothing changed", "398ad50c", "5c83405b", "Ana Alvarez"):
        assert shown in answer.stdout


def test_a_remittance_is_posted_byte_for_byte_and_shown(run: Run, stack: Any, remittance: Path) -> None:
    with serving(lambda asked: (201, {"remittances": [REMITTANCE]})) as billing:
        stack(billing=billing.url)
        answer = run("ingest", "remittance", remittance, columns=80)
    (asked,) = billing.asked
    assert (asked.path, asked.body) == ("/remittances", remittance.read_bytes())
    for shown in ("8123456789", "$168.00", "CT7K2M9QX4", "denied", "CO-197 210.00"):
        assert shown in answer.stdout
    assert max(map(len, answer.stdout.splitlines())) <= 80


def test_a_refused_remittance_ends_with_1_and_its_places(run: Run, stack: Any, remittance: Path) -> None:
    problem = {
        "title": "Remittance out of balance", "status": 422, "detail": "Nothing of the file was posted.",
        "places": [{"at": "segment 19 CLP04", "expected": "168.00 paid, as its lines add up to"}],
    }  # fmt: skip
    with serving(lambda asked: (422, problem)) as billing:
        stack(billing=billing.url)
        answer = run("ingest", "remittance", remittance)
    assert answer.exit_code == 1
    assert "segment 19 CLP04" in answer.stderr


def test_posting_needs_an_actor_and_a_file_that_is_there(run: Run, referral: Path) -> None:
    assert run("ingest", "referral", referral, user=False).exit_code == 2
    assert run("ingest", "referral", "nowhere.json").exit_code == 2


def test_a_remittance_that_came_before_says_so(run: Run, stack: Any, remittance: Path) -> None:
    with serving(lambda asked: (201, {"duplicate": True, "remittances": [REMITTANCE]})) as billing:
        stack(billing=billing.url)
        shown = run("ingest", "remittance", remittance).stdout
        document = json.loads(run("ingest", "remittance", remittance, "--json").stdout)
    assert "nothing changed" in shown
    assert document == [REMITTANCE]
