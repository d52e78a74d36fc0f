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


def test_a_referral_is_posted_byte_for_byte_with_a_key_and_a_name(
    run: Run, stack: Any, referral: Path
) -> None:
    with serving(lambda asked: (201, [ANSWER])) as intake:
        stack(intake=intake.url)
        answer = run("ingest", "referral", referral, "--source-type", "pcp", "--json")
    (asked,) = intake.asked
    assert json.loads(answer.stdout) == [ANSWER]
    assert (asked.method, asked.path, asked.query) == ("POST", "/referrals/fhir", {"source_type": "pcp"})
    assert (asked.body, asked.headers["content-type"]) == (referral.read_bytes(), "application/fhir+json")
    assert asked.headers["idempotency-key"]
    assert asked.headers["caretrail-actor"] == "ana;coordinator"


def test_a_referral_that_came_before_says_so(run: Run, stack: Any, referral: Path) -> None:
    ids = {"referral": "398ad50c", "patient": "5c83405b", "known": True, "repeated": True}
    with serving(lambda asked: (201, [{**ANSWER, "caretrail": ids}])) as intake:
        stack(intake=intake.url)
        answer = run("ingest", "referral", referral, columns=80)
    for shown in ("came before: nothing changed", "398ad50c", "5c83405b", "Ana Alvarez"):
        assert shown in answer.stdout
    assert "duplicate" not in answer.stdout


def test_a_referral_that_repeats_another_says_so_in_its_heading(run: Run, stack: Any, referral: Path) -> None:
    ids = {"referral": "398ad50c", "patient": "5c83405b", "duplicate": True, "repeated": False}
    with serving(lambda asked: (201, [{**ANSWER, "caretrail": ids}])) as intake:
        stack(intake=intake.url)
        heading = run("ingest", "referral", referral, columns=80).stdout.splitlines()[0]
    assert heading.startswith("referral ")
    assert heading.split()[-1] == "duplicate"


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
    assert answer.stderr.count("segment 19 CLP04") == 1
    assert "payer.835: Remittance out of balance" in answer.stderr
    assert answer.stdout == ""


def test_files_that_belong_together_are_posted_together(run: Run, stack: Any, referral: Path) -> None:
    beside = referral.with_name("coverage.json")
    beside.write_text("{}")
    problem = {
        "title": "Referral unreadable", "status": 422, "detail": "Nothing taken in: first in /0/content#.",
        "places": [{"at": "/1/content#/resourceType", "expected": "the name of an R4 resource type"}],
    }  # fmt: skip
    with serving(lambda asked: (422, problem)) as intake:
        stack(intake=intake.url)
        answer = run("ingest", "referral", referral, beside, "--json")
    assert intake.asked[0].json() == [
        {"name": "referral.json", "content": json.dumps(REFERRAL)},
        {"name": "coverage.json", "content": "{}"},
    ]
    told = json.loads(answer.stderr)
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, [])
    assert told["places"][0]["at"] == "coverage.json#/resourceType"
    assert "referral.json" in told["detail"]


def test_a_file_that_is_no_text_goes_to_the_service_so_that_its_refusal_is_on_record(
    run: Run, stack: Any, referral: Path
) -> None:
    binary = referral.with_name("scan.json")
    binary.write_bytes(b"\xff\x00")
    problem = {
        "title": "Referral unreadable",
        "status": 422,
        "places": [{"at": "", "expected": "JSON in UTF-8"}],
    }
    with serving(lambda asked: (422, problem)) as intake:
        stack(intake=intake.url)
        answer = run("ingest", "referral", referral, binary)
    assert [asked.body for asked in intake.asked] == [b"\xff\x00"]
    assert (answer.exit_code, "scan.json#" in answer.stderr) == (1, True)


def test_a_referral_shows_what_a_person_should_look_at(run: Run, stack: Any, referral: Path) -> None:
    findings = ["/subject: the resource referred to is not among the files"]
    taken = {"referral": "398ad50c", "patient": "5c83405b", "findings": findings}
    with serving(lambda asked: (201, [{**ANSWER, "caretrail": taken}])) as intake:
        stack(intake=intake.url)
        shown = run("ingest", "referral", referral, columns=120).stdout
    assert "referral.json#/subject: the resource referred to is not among the files" in shown


def test_a_dry_run_shows_findings_and_refuses_a_birth_to_come(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    alone = {name: value for name, value in REFERRAL.items() if name != "contained"}
    path.write_text(json.dumps(alone | {"subject": {"reference": "Patient/1"}}))
    assert "request.json#/subject: the resource" in run("ingest", "referral", path, "--dry-run").stdout
    answer = run("ingest", "referral", path, "--dry-run", "--json")
    assert "caretrail" not in json.loads(answer.stdout)[0]
    assert json.loads(answer.stderr)["note"].startswith("request.json#/subject: the resource")
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    path.write_text(json.dumps(alone | {"subject": {"extension": [absent]}}))
    answer = run("ingest", "referral", path, "--dry-run", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)[0]["referral"]) == (0, "r1")
    note = json.loads(answer.stderr)["note"]
    assert note.endswith("/subject: the request is about nobody: intake would refuse it")
    path.write_text(json.dumps(REFERRAL).replace("1990-05-17", "2999-05-17"))
    answer = run("ingest", "referral", path, "--dry-run", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, [])
    assert json.loads(answer.stderr)["places"][0]["at"] == "request.json#/contained/0/birthDate"


def test_each_remittance_file_stands_for_itself(run: Run, stack: Any, remittance: Path) -> None:
    bad = remittance.with_name("bad.835")
    bad.write_text("ISA")
    problem = {"title": "Remittance unreadable", "status": 422}

    def answer_to(asked: Any) -> Any:
        return (422, problem) if asked.body == b"ISA" else (201, {"remittances": [REMITTANCE]})

    with serving(answer_to) as billing:
        stack(billing=billing.url)
        answer = run("ingest", "remittance", remittance, bad, remittance, "--json")
        shown = run("ingest", "remittance", bad, remittance)
    assert (answer.exit_code, shown.exit_code) == (1, 1)
    assert json.loads(answer.stdout) == [REMITTANCE, REMITTANCE]
    assert json.loads(answer.stderr)["file"] == "bad.835"
    assert "8123456789" in shown.stdout
    assert "bad.835: Remittance unreadable" in shown.stderr


def test_a_dry_run_of_several_remittances_tells_each_that_is_refused(run: Run, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.835", "two.835")]
    for path in paths:
        path.write_bytes(b"")
    answer = run("ingest", "remittance", *paths, "--dry-run", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, [])
    assert [json.loads(line)["file"] for line in answer.stderr.splitlines()] == ["one.835", "two.835"]


def test_claims_that_wait_for_a_person_are_counted_and_marked(run: Run, stack: Any, remittance: Path) -> None:
    effect = {"remittance": "8a2b", "posted": 0, "parked": [{"index": 0, "rule": "ClaimUnknown"}]}
    warning = {"segment": 7, "segment_id": "N1", "element": 4, "what": "an NPI that fails its check digit"}
    taken = {"remittances": [{**REMITTANCE, "caretrail": effect}], "warnings": [warning]}
    with serving(lambda asked: (201, taken)) as billing:
        stack(billing=billing.url)
        shown = run("ingest", "remittance", remittance, columns=80).stdout
        programs = run("ingest", "remittance", remittance, "--json")
    assert "0 posted, 1 waits for a person: claim unknown" in shown
    assert "segment 7 N104: an NPI that fails its check digit" in shown
    assert json.loads(programs.stderr) == {"note": "segment 7 N104: an NPI that fails its check digit"}
    assert max(map(len, shown.splitlines())) <= 80


def test_a_refusal_whose_words_are_its_expectation_says_them_once(
    run: Run, stack: Any, remittance: Path
) -> None:
    words = "The payer used its trace number for another one."
    problem = {"title": "Trace reused", "status": 409, "detail": words,
               "places": [{"at": "TRN02", "expected": words}]}  # fmt: skip
    with serving(lambda asked: (409, problem)) as billing:
        stack(billing=billing.url)
        told = run("ingest", "remittance", remittance).stderr
    assert told == f"payer.835: Trace reused\n{words}\nat TRN02\n"


def test_posting_needs_an_actor_and_a_file_that_is_there(run: Run, referral: Path) -> None:
    assert run("ingest", "referral", referral, user=False).exit_code == 2
    assert run("ingest", "referral", "nowhere.json").exit_code == 2


def test_a_remittance_that_came_before_says_so(run: Run, stack: Any, remittance: Path) -> None:
    again = REMITTANCE | {"caretrail": {"repeated": True}}
    with serving(lambda asked: (201, {"duplicate": True, "remittances": [again]})) as billing:
        stack(billing=billing.url)
        shown = run("ingest", "remittance", remittance).stdout
        document = json.loads(run("ingest", "remittance", remittance, "--json").stdout)
    assert "nothing changed" in shown
    assert document == [again]
