"""`caretrail timeline`: pages, screens of two widths, who may look."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from caretrail_contracts.examples import envelope_of, example
from caretrail_contracts.intake import PatientAdmitted, PersonRegistered, ReferralAccepted, ReferralReceived
from caretrail_contracts.scheduling import SessionAttended

from cli.decoded import attributes_of
from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

PATIENT = str(envelope_of(PatientAdmitted).patient)


def item(event: Any, **changes: Any) -> dict[str, Any]:
    envelope = envelope_of(event)
    body = json.loads(example(event).to_bytes())
    return {**attributes_of(envelope), "service": envelope.service, "event": body, **changes}


OTHER = str(envelope_of(ReferralAccepted).command_id)
FIRST = item(PersonRegistered)
ITEMS = [
    FIRST,
    item(ReferralReceived),
    item(ReferralAccepted, patient=PATIENT),
    item(PatientAdmitted, causationid=FIRST["id"], actorid="intake", actorrole="service"),
    item(
        SessionAttended,
        recordedat="2026-03-11T17:00:00.000012Z",
        causationid=OTHER,
    ),
]


@contextmanager
def eastern(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in New York."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def audit(asked: Asked) -> tuple[int, Any]:
    """Two pages."""
    start = int(asked.query.get("after", 0))
    return 200, {"items": ITEMS[start : start + 3], "next": 3 if start == 0 else None}


def test_all_pages_are_read_with_actor_purpose_and_time(run: Run, stack: Any) -> None:
    with serving(audit) as double:
        stack(audit=double.url)
        answer = run("timeline", PATIENT, "--as-of", "2026-03-12T10:00:00Z", "--json")
    assert json.loads(answer.stdout) == ITEMS
    assert [asked.query.get("after") for asked in double.asked] == [None, "3"]
    assert {asked.path for asked in double.asked} == {f"/patients/{PATIENT}/timeline"}
    assert all(asked.headers["caretrail-actor"] == "ana;coordinator" for asked in double.asked)
    assert all(asked.headers["caretrail-purpose"] == "TREAT" for asked in double.asked)
    assert double.asked[0].query["as_of"].startswith("2026-03-12T")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_screen_and_says_who_when_and_why(run: Run, stack: Any, columns: int) -> None:
    with serving(audit) as double:
        stack(audit=double.url)
        answer = run("timeline", PATIENT, columns=columns)
    assert answer.exit_code == 0
    assert max(map(len, answer.stdout.splitlines())) <= columns
    for shown in ("PersonRegistered", "SessionAttended", "‹sealed›", "#1", "coordinator", "5 events"):
        assert shown in answer.stdout
    assert ("2026-03-11 17:00" if columns == 120 else "+2 d 3 h") in answer.stdout
    assert FIRST["event"]["name"]["ct"] not in answer.stdout
    assert ITEMS[1]["event"]["referral"] in answer.stdout, "an id that is asked for next is whole"


def test_a_screen_too_narrow_for_columns_shows_every_event(run: Run, stack: Any) -> None:
    with serving(audit) as double:
        stack(audit=double.url)
        shown = run("timeline", PATIENT, columns=40).stdout
    events = [str(item["type"]).rpartition(".")[2] for item in ITEMS]
    assert [name for name in events if name not in shown] == []
    assert max(map(len, shown.splitlines()[:-1])) <= 40


def test_a_problem_is_told_with_its_places_and_ends_with_1(run: Run, stack: Any) -> None:
    problem = {
        "title": "Not found",
        "status": 404,
        "detail": "There is no patient 5c83405b.",
        "places": [{"at": "/patient", "expected": "a patient of this program"}],
    }
    with serving(lambda asked: (404, problem)) as double:
        stack(audit=double.url)
        told = run("timeline", PATIENT, columns=80)
        for_programs = run("timeline", PATIENT, "--json")
    assert told.exit_code == for_programs.exit_code == 1
    for shown in ("Not found", "There is no patient", "/patient", "a patient of this program"):
        assert shown in told.stderr
    assert told.stdout == ""
    assert json.loads(for_programs.stderr)["places"][0]["at"] == "/patient"


def test_a_service_that_does_not_answer_is_named(run: Run, stack: Any) -> None:
    stack(audit="http://127.0.0.1:1")
    answer = run("timeline", PATIENT)
    assert answer.exit_code == 1
    assert "audit does not answer" in answer.stderr


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["Ana"], "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11"),
        ([PATIENT, "--as-of", "noon"], "2026-03-12T10:00"),
        ([PATIENT, "--purpose", "curiosity"], "TREAT"),
        ([PATIENT, "--actor", "Ana Alvarez"], "ID;ROLE"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_expected(run: Run, argv: list[str], said: str) -> None:
    answer = run("timeline", *argv)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert "should be" not in answer.stderr


@pytest.mark.parametrize(
    ("given", "last"),
    [
        ("2026-03-07", "2026-03-07T23:59:59.999999-05:00"),
        ("2026-03-08", "2026-03-08T23:59:59.999999-04:00"),
        ("2026-03-12T10:00", "2026-03-12T10:00:00-04:00"),
        ("2026-03-12T10:00Z", "2026-03-12T10:00:00+00:00"),
    ],
)
def test_a_date_means_until_its_end_and_the_answer_says_which_time_it_took(
    run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch, given: str, last: str
) -> None:
    with serving(audit) as double, eastern(monkeypatch):
        stack(audit=double.url)
        answer = run("timeline", PATIENT, "--as-of", given)
        assert datetime.fromisoformat(double.asked[0].query["as_of"]) == datetime.fromisoformat(last)
    assert last.partition(".")[0] in answer.stdout


def test_nobody_looks_without_a_name_and_a_reason(run: Run) -> None:
    answer = run("timeline", PATIENT, user=False)
    assert answer.exit_code == 2
    assert "--actor and --purpose" in answer.stderr


def test_a_purpose_may_be_given_by_its_name(run: Run, stack: Any) -> None:
    with serving(lambda asked: (200, {"items": [], "next": None})) as double:
        stack(audit=double.url)
        answer = run("timeline", PATIENT, "--purpose", "operations")
    assert "Nothing is known" in answer.stdout
    assert double.asked[0].headers["caretrail-purpose"] == "HOPERAT"
