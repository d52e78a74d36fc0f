"""`caretrail projections` while a service goes away in the midst of a rebuild."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

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


LISTED: dict[str, Any] = {
    "version": 3,
    "serves": 2,
    "action": "rebuild",
    "ended_at": "2026-11-26T09:12:00+00:00",
    "outcome": {"outcome": "swapped"},
    "tables": [{"bytes": 84_123_456, "rows_about": 1_214_512}],
}


def test_a_list_shows_how_far_a_rebuild_is_and_names_that_can_be_copied(
    run: Run, stack: Callable[..., None]
) -> None:
    found = STATE | LISTED | {"name": "OutcomesTrajectory", "ended_at": None, "done": 65, "total": 144}
    new = STATE | LISTED | {"name": "Census", "action": None}
    new["tables"] = [*LISTED["tables"], {"bytes": 8192, "rows_about": None}]
    with serving(lambda asked: (200, [found, new])) as clinical:
        stack(clinical=clinical.url)
        shown = " ".join(run("projections", "list", columns=80).stdout.split())
    assert " OutcomesTrajectory " in shown
    assert "folding 45%" in shown
    assert "? 84.1 MB" in shown, "rows that PostgreSQL has not counted are not 0"


def test_a_rebuild_that_is_interrupted_is_said_to_go_on(
    run: Run, stack: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.projections.time.sleep", interrupt)

    def answer(asked: Asked) -> tuple[int, Any]:
        return 200, [STATE] if asked.path == "/internal/projections" else STATE

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run("projections", "rebuild", "ClaimBoard")
        for_programs = run("projections", "verify", "--json")
    assert (found.exit_code, for_programs.exit_code) == (130, 130)
    assert found.stderr.startswith("the rebuild of ClaimBoard goes on in billing\n")
    assert "caretrail projections list" in found.stderr
    assert json.loads(for_programs.stderr)["title"] == "the verify of ClaimBoard goes on in billing"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "no service has a projection Offers"),
        (("--service", "billing"), "billing has no projection Offers"),
    ],
)
def test_a_name_that_is_none_is_told_of_those_that_were_asked(
    run: Run, stack: Callable[..., None], more: tuple[str, ...], said: str
) -> None:
    with serving(lambda asked: (200, [STATE])) as billing:
        stack(billing=billing.url)
        answer = run("projections", "rebuild", "Offers", *more)
    assert (answer.exit_code, answer.stderr) == (1, f"{said}\nThere are: ClaimBoard.\n")


@pytest.mark.parametrize(
    ("more", "version"),
    [({}, "2 (code: 3)"), ({"serves": 3, "mixed_at": "2026-11-26T09:00:00Z"}, "3 (mixed)")],
)
def test_on_a_narrow_screen_numbers_and_services_stay_whole(
    run: Run, stack: Callable[..., None], more: dict[str, Any], version: str
) -> None:
    found = STATE | LISTED | {"name": "AuthorizationRunwayOfEpisodes"} | more
    with serving(lambda asked: (200, [found])) as billing:
        stack(billing=billing.url)
        shown = run("projections", "list", columns=60).stdout
    assert all(f" {whole} " in shown for whole in ("billing", "1,214,512", "84.1 MB", version))
    assert max(map(len, shown.splitlines())) <= 60


@pytest.mark.parametrize(
    "told",
    [
        ["projections", "rebuild", ""],
        ["projections", "verify", ""],
        ["projections", "list", "--service="],
        ["parked", "redrive", "--all", "--handler", ""],
        ["timeline", "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11", "--as-of", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_none_and_does_not_stand_for_all(run: Run, told: list[str]) -> None:
    answer = run(*told)
    assert answer.exit_code == 2
    assert "expected a value, not an empty text" in answer.stderr


def test_where_stderr_is_no_terminal_there_is_no_bar(run: Run, stack: Callable[..., None]) -> None:
    ended = STATE | LISTED | {"outcome": {"outcome": "equal"}}

    def answer(asked: Asked) -> tuple[int, Any]:
        return 200, [ended] if asked.path == "/internal/projections" else ended

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run("projections", "verify", "ClaimBoard")
    assert (found.exit_code, found.stderr) == (0, "")


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


DIFFERENT = {
    "outcome": "different",
    "against": "public",
    "folded": 2,
    "tables": {"claims": {"rows": 2, "checksum": "aa"}},
    "others": {"claims": {"rows": 1, "checksum": "bb"}},
    "differences": [{"table": "claims", "missing": "live", "columns": [], "event": None}],
}
BY = {"by": "ana", "role": "coordinator", "purpose": "TREAT"}
ACCEPTING = ("projections", "rebuild", "ClaimBoard", "--accept-difference", "--reason", " a bug, mended ")


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (DIFFERENT | {"outcome": "swapped", "accepted": BY}, 0, "is accepted by ana (coordinator)"),
        ({"outcome": "swapped", "folded": 2, "tables": {}}, 0, "no difference to accept"),
        (DIFFERENT | {"against": "proof"}, 1, "the code is at fault, and there is nothing to accept"),
    ],
)
def test_a_difference_is_accepted_by_who_gives_a_reason(
    run: Run, stack: Callable[..., None], outcome: dict[str, Any], code: int, said: str
) -> None:
    ended = STATE | LISTED | {"outcome": outcome}

    def answer(asked: Asked) -> tuple[int, Any]:
        return 200, [ended] if asked.path == "/internal/projections" else ended

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run(*ACCEPTING)
        assert (found.exit_code, said in found.stdout) == (code, True), found.stdout
        asked = billing.asked[-1]
        assert asked.path == "/internal/projections/ClaimBoard/accept-difference"
        assert asked.json() == {"reason": "a bug, mended", "processes": 1}
        assert asked.headers["caretrail-actor"] == "ana;coordinator"


def test_a_difference_names_the_way_on(run: Run, stack: Callable[..., None]) -> None:
    ended = STATE | LISTED | {"outcome": DIFFERENT}

    def answer(asked: Asked) -> tuple[int, Any]:
        return 200, [ended] if asked.path == "/internal/projections" else ended

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run("projections", "rebuild", "ClaimBoard")
        assert billing.asked[-1].json() == {"action": "rebuild", "processes": 1}
    command = "caretrail projections rebuild ClaimBoard --service billing --accept-difference --reason TEXT"
    assert (found.exit_code, command in found.stdout) == (1, True)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["rebuild", "ClaimBoard", "--accept-difference"], "give --reason"),
        (["rebuild", "ClaimBoard", "--accept-difference", "--reason", " "], "give --reason"),
        (["rebuild", "ClaimBoard", "--accept-difference", "--reason", ""], "not an empty text"),
        (["rebuild", "ClaimBoard", "--reason", "a bug, mended"], "give --accept-difference"),
        (["rebuild", "ClaimBoard", "--reason", " "], "give --accept-difference"),
        (["rebuild", "--accept-difference", "--reason", "a bug, mended"], "Missing argument"),
        (["verify", "ClaimBoard", "--accept-difference", "--reason", "a bug, mended"], "No such option"),
    ],
    ids=str,
)
def test_what_accepts_nothing_whole_is_refused_before_anything_begins(
    run: Run, stack: Callable[..., None], told: list[str], expected: str
) -> None:
    with serving(lambda asked: (200, [STATE])) as billing:
        stack(billing=billing.url)
        answer = run("projections", *told, columns=200)
        assert (answer.exit_code, billing.asked) == (2, [])
    assert expected in answer.stderr


def test_nobody_accepts_a_difference_without_a_name(run: Run, stack: Callable[..., None]) -> None:
    answer = run(*ACCEPTING, user=False)
    assert answer.exit_code == 2
