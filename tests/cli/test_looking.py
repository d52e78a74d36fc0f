"""Lists that ask all services: one that is frozen, or refuses, is told, and the others are shown."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import looking, service
from tests.cli.conftest import Run
from tests.cli.double import Asked, Double, serving
from tests.cli.test_consumers import PAUSED, reader
from tests.cli.test_parked import HEAD
from tests.cli.test_projections import LISTED, STATE
from tests.cli.test_status import PROGRESS
from tests.cli.test_topics import WHOLE

ENDED = STATE | LISTED | {"outcome": {"outcome": "equal"}}
ANSWERS: dict[str, Any] = {
    "/internal/parked": {"keys": 1, "records": 1, "handlers": ["ClaimBoard"], "parked": [HEAD]},
    "/internal/projections": [ENDED],
    "/internal/projections/ClaimBoard": ENDED,
    "/internal/consumers": [reader(0), reader(1, paused=PAUSED)],
    "/internal/topic": WHOLE | {"service": "billing", "topic": "caretrail.billing.events"},
    "/internal/progress": PROGRESS | {"service": "billing", "sources": ["audit"]},
    "/health/live": {"status": "live"},
    "/internal/parked/17/redrive": {"applied": 1, "next": None, "waiting": 0, "error": None},
}


@pytest.fixture
def billing(stack: Callable[..., None], frozen: str) -> Iterator[Double]:
    """A billing service that answers, beside an audit service that is frozen."""
    with serving(lambda asked: (200, ANSWERS[asked.path])) as found:
        stack(audit=frozen, billing=found.url)
        yield found


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (("parked", "list"), "billing/17"),
        (("parked", "redrive", "--all"), "1 record applied"),
        (("projections", "list"), "ClaimBoard"),
        (("projections", "verify"), "ClaimBoard"),
        (("consumers", "list"), "‹sealed›"),
        (("consumers", "list", "--open"), "‹sealed›"),
        (("topics", "list"), "caretrail.billing.events"),
        (("status",), "own store"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_frozen_service_is_told_and_the_others_are_shown(
    run: Run, billing: Double, home: Path, held: None, told: tuple[str, ...], shown: str
) -> None:
    answer, for_programs = run(*told, columns=80), run(*told, "--json")
    assert (answer.exit_code, for_programs.exit_code) == (1, 1)
    assert shown in answer.stdout
    assert "audit does not answer at http://127.0.0.1:" in answer.stderr
    assert shown in for_programs.stdout or json.loads(for_programs.stdout)
    problem = json.loads(for_programs.stderr)
    assert (problem["service"], problem["title"].split(" at ")[0]) == ("audit", "audit does not answer")


def test_what_was_asked_of_one_that_answers_is_done_whoever_else_is_silent(run: Run, billing: Double) -> None:
    answer = run("projections", "verify", "ClaimBoard")
    assert (answer.exit_code, answer.stderr) == (0, "")
    unknown = run("projections", "verify", "Offers")
    assert unknown.exit_code == 1
    assert "no service that answers has a projection Offers" in unknown.stderr
    assert "audit does not answer" in unknown.stderr
    assert "no service that answers has a handler Nope" in run("parked", "list", "--handler", "Nope").stderr


def test_the_lags_from_and_to_a_silent_service_are_unknown(run: Run, billing: Double, held: None) -> None:
    found = json.loads(run("status", "--json").stdout)["consumers"]
    lags = [(row["service"], row["source"], row["position"], row["lag"]) for row in found]
    assert lags == [
        ("audit", None, None, None),
        ("billing", "own store", 0, 0),
        ("billing", "audit", None, None),
    ]
    assert run("status").stdout.count("?") == 4 + 3


def test_nothing_is_said_to_be_parked_of_those_alone_that_answer(
    run: Run, stack: Callable[..., None], frozen: str
) -> None:
    none = {"keys": 0, "records": 0, "handlers": [], "parked": []}
    with serving(lambda asked: (200, none)) as billing:
        stack(audit=frozen, billing=billing.url)
        assert run("parked", "list").stdout == "Nothing is parked in billing.\n"


def test_services_are_waited_for_side_by_side(run: Run, stack: Callable[..., None], frozen: str) -> None:
    stack(**dict.fromkeys(("audit", "billing", "clinical", "intake"), frozen))
    answer = run("projections", "list", "--json")
    assert (answer.exit_code, answer.stdout) == (1, "")
    problem = json.loads(answer.stderr)
    assert problem["title"] == "no service answers"
    assert problem["detail"].count("did not even say that it is alive") == 4


def test_one_that_is_slow_but_alive_is_waited_for(
    run: Run, stack: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    probed = list[str]()
    monkeypatch.setattr(looking, "PROBE_S", 0.01)

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/health/live":
            probed.append(asked.path)
            return 200, {"status": "live"}
        deadline = time.monotonic() + 10
        while not probed and time.monotonic() < deadline:
            time.sleep(0.005)
        return 200, [ENDED]

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run("projections", "list")
    assert (found.exit_code, found.stderr) == (0, "")
    assert probed


def test_one_that_refuses_is_named_with_what_it_says(run: Run, stack: Callable[..., None]) -> None:
    away = {"title": "Unavailable", "detail": "The database is away."}
    with (
        serving(lambda asked: (503, away)) as audit,
        serving(lambda asked: (200, [ENDED])) as billing,
    ):
        stack(audit=audit.url, billing=billing.url)
        answer = run("projections", "list")
        assert answer.exit_code == 1
        assert answer.stderr == "audit: Unavailable\nThe database is away.\n"
        assert "ClaimBoard" in answer.stdout


def test_among_all_a_service_that_goes_away_keeps_no_other_from_a_redrive(
    run: Run, stack: Callable[..., None]
) -> None:
    heads: dict[str, Any] = {
        "keys": 2,
        "records": 2,
        "handlers": [],
        "parked": [HEAD | {"id": id} for id in (1, 2)],
    }

    def of_audit(asked: Asked) -> tuple[int, Any]:
        if asked.method == "GET":
            return 200, heads | {"parked": [each | {"service": "audit"} for each in heads["parked"]]}
        if asked.path == "/internal/parked/1/redrive":
            return 200, {"applied": 500, "next": 7, "waiting": 3, "error": None}
        return 503, {"title": "Unavailable", "detail": "The database is away."}

    def of_billing(asked: Asked) -> tuple[int, Any]:
        done = {"applied": 1, "next": None, "waiting": 0, "error": None}
        return 200, heads if asked.method == "GET" else done

    with serving(of_audit) as audit, serving(of_billing) as billing:
        stack(audit=audit.url, billing=billing.url)
        answer = run("parked", "redrive", "--all", "--json")
        assert answer.exit_code == 1
        found = [(each["record"], each["applied"], each["error"]) for each in json.loads(answer.stdout)]
        assert found == [
            ("audit/1", 500, "The database is away."),
            ("audit/2", 0, "not tried: The database is away."),
            ("billing/1", 1, None),
            ("billing/2", 1, None),
        ]
        assert [asked.path for asked in audit.asked if asked.method == "POST"][-1].endswith("/7/redrive")
        shown = run("parked", "redrive", "--all", columns=200).stdout
        assert "audit/2  0 records applied; audit/2 fails: not tried: The database is away." in shown


@pytest.mark.parametrize(
    ("argv", "shows"),
    [
        (("consumers", "pause", "billing", "intake", "--reason", "to look"), "consumers list"),
        (("parked", "redrive", "billing/17"), "parked list"),
    ],
    ids=["pause", "redrive"],
)
def test_what_a_frozen_service_was_told_may_still_be_carried_out_and_that_is_said(
    run: Run,
    stack: Callable[..., None],
    frozen: str,
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    shows: str,
) -> None:
    monkeypatch.setattr(service, "TIMEOUT_S", 0.2)
    stack(billing=frozen)
    answer = run(*argv)
    assert answer.exit_code == 1
    said = f"What was asked for may still be carried out: `caretrail {shows}` shows whether it was."
    assert f"ReadTimeout. {said}" in answer.stderr
    stack(billing="http://127.0.0.1:1")
    assert "may still" not in run(*argv).stderr, "nobody heard it"


def test_status_of_a_frozen_process_is_not_ready(
    run: Run, stack: Callable[..., None], frozen: str, home: Path, held: None
) -> None:
    stack(audit=frozen)
    entry = {"name": "audit", "pid": os.getpid(), "port": int(frozen.rpartition(":")[2]), "restarts": 0}
    (home / "run" / "audit.json").write_text(json.dumps(entry))
    answer = run("status", "--json")
    [found] = json.loads(answer.stdout)["processes"]
    assert (answer.exit_code, found["state"]) == (1, "not ready")
    assert found["faults"][0].startswith("it does not answer: Within")
