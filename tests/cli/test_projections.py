"""`caretrail projections` while a service goes away in the midst of a rebuild."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

STATE = {
    "name": "ClaimBoard",
    "service": "billing",
    "phase": "folding",
    "done": 1,
    "total": 2,
    "seconds": 0.1,
    "ended_at": None,
}


def test_a_service_that_dies_meanwhile_is_said_to_go_on_once_it_is_back(
    run: Run, stack: Callable[..., None]
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/internal/projections":
            return 200, [STATE]
        if asked.method == "POST":
            return 202, STATE
        raise ConnectionAbortedError  # the connection ends without an answer

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run("projections", "rebuild", "ClaimBoard")
    assert found.exit_code == 1
    assert "The rebuild goes on by itself once the service is back." in found.stderr
    assert "caretrail projections list" in found.stderr


def test_of_all_projections_a_busy_one_keeps_no_other_from_being_verified(
    run: Run, stack: Callable[..., None]
) -> None:
    outcome = {"outcome": "equal", "folded": 2, "tables": {}}
    ended = {**STATE, "version": 1, "ended_at": "2026-03-02T09:00:00", "outcome": outcome}

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/internal/projections":
            return 200, [{**STATE, "name": name} for name in ("Busy", "ClaimBoard")]
        if asked.path.endswith("Busy"):
            return 409, {"title": "Rebuild running", "detail": "A verify of Busy is under way."}
        return 202, ended

    with serving(answer) as billing:
        stack(billing=billing.url)
        found, shown = run("projections", "verify", "--json"), run("projections", "verify")
        assert "Rebuild running" in run("projections", "verify", "Busy").stderr
    assert (found.exit_code, shown.exit_code) == (1, 1)
    told = [(each["projection"], each["outcome"]) for each in json.loads(found.stdout)]
    assert told == [("Busy", "busy"), ("ClaimBoard", "equal")]
    assert "busy: A verify of Busy is under way." in shown.stdout
