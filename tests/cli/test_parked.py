"""`caretrail parked` asks the services named, follows a redrive to its end, and says what failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.double import Asked, Double, serving

HEAD: dict[str, Any] = {
    "id": 17,
    "service": "billing",
    "handler": "ClaimBoard",
    "key": "5c83405b-7326-5535-adc1-de198e5aeaf9",
    "error": "KeyError",
    "attempts": 1,
    "waiting": 2,
    "since": "2026-03-09T14:00:00+00:00",
    "event": {
        "id": None,
        "type": "caretrail.scheduling.SessionClosed",
        "topic": "caretrail.scheduling.events",
        "partition": "3",
        "source": "x",
        "position": 9,
    },
}


@pytest.fixture
def billing(stack: Callable[..., None]) -> Iterator[tuple[Double, list[dict[str, Any]]]]:
    """A billing service that answers redrives with what the list holds, in order."""
    redrives: list[dict[str, Any]] = []

    def answer(asked: Asked) -> tuple[int, Any]:
        match asked.method, asked.path.removeprefix("/internal/parked"):
            case "GET", "" if asked.query.get("handler", "ClaimBoard") != "ClaimBoard":
                return 200, {"keys": 0, "records": 0, "handlers": ["ClaimBoard", "Other"], "parked": []}
            case "GET", "":
                return 200, {"keys": 1, "records": 3, "handlers": ["ClaimBoard", "Other"], "parked": [HEAD]}
            case "GET", _:
                more = {"first": 17, "headers": {"ce_type": "t"}, "unreadable": None, "body_bytes": 2}
                return 200, HEAD | more | {"body": {"name": "‹sealed›"}}
            case "POST", path if path.endswith("/discard"):
                return 200, {"discarded": 17, "waiting": 2, "next": 18}
            case _:
                return 200, redrives.pop(0)

    with serving(answer) as found:
        stack(billing=found.url)
        yield found, redrives


def test_the_list_names_records_by_service_and_number(run: Run, billing: Any) -> None:
    [found] = json.loads(run("parked", "list", "--json").stdout)
    assert (found["record"], found["waiting"]) == ("billing/17", 2)
    shown = run("parked", "list", columns=80).stdout
    for whole in ("billing/17", HEAD["key"], "1 attempt since 2026-03-09 14:00, 2 records wait behind"):
        assert whole in shown
    assert json.loads(run("parked", "list", "--handler", "Other", "--json").stdout) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("list", "--handler", "Nope"), "no service has a handler Nope\nThere are: ClaimBoard, Other.\n"),
        (("list", "--handler", "Nope", "--service", "billing"), "billing has no handler Nope\n"),
        (("redrive", "--all", "--handler", "Nope"), "no service has a handler Nope\n"),
        (("list", "--service", "nope"), "the stack has no service nope\nIt has: billing.\n"),
    ],
)
def test_a_name_that_is_none_is_refused_with_those_that_are(
    run: Run, billing: Any, argv: tuple[str, ...], said: str
) -> None:
    answer = run("parked", *argv)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith(said)


def test_a_look_names_who_looks(run: Run, billing: Any) -> None:
    double, _ = billing
    shown = run("parked", "show", "billing/17", columns=200)
    assert "‹sealed›" in shown.stdout
    assert double.asked[-1].headers["caretrail-actor"] == "ana;coordinator"
    assert run("parked", "show", "billing/17", user=False).exit_code == 2


def test_a_redrive_asks_on_until_nothing_is_left(run: Run, billing: Any) -> None:
    double, redrives = billing
    redrives += [
        {"applied": 500, "next": 600, "waiting": 9, "error": None},
        {"applied": 10, "next": None, "waiting": 0, "error": None},
    ]
    found = json.loads(run("parked", "redrive", "billing/17", "--json").stdout)
    assert found == {"record": "billing/17", "applied": 510, "next": None, "waiting": 0, "error": None}
    assert [asked.path for asked in double.asked] == [f"/internal/parked/{id}/redrive" for id in (17, 600)]


def test_a_redrive_that_fails_says_where_and_ends_with_1(run: Run, billing: Any) -> None:
    _, redrives = billing
    redrives.append({"applied": 3, "next": 20, "waiting": 1, "error": "KeyError"})
    answer = run("parked", "redrive", "--all", columns=200)
    assert answer.exit_code == 1
    assert "billing/20 fails: KeyError, 1 record waits behind it" in answer.stdout


def test_among_all_one_that_cannot_be_redriven_stops_no_other(run: Run, stack: Any) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method == "GET":
            return 200, {
                "keys": 3,
                "records": 3,
                "handlers": [],
                "parked": [HEAD | {"id": id} for id in (1, 2, 3)],
            }
        id = asked.path.split("/")[3]
        titles = {"1": (404, "Not parked"), "2": (409, "No handler")}
        if id in titles:
            status, title = titles[id]
            return status, {"title": title, "detail": f"{title}."}
        return 200, {"applied": 1, "next": None, "waiting": 0, "error": None}

    with serving(answer) as double:
        stack(billing=double.url)
        answered = run("parked", "redrive", "--all", "--json")
        assert answered.exit_code == 1
        found = [(each["record"], each["error"]) for each in json.loads(answered.stdout)]
        assert found == [("billing/2", "No handler."), ("billing/3", None)]
        assert run("parked", "redrive", "billing/1").exit_code == 1


def test_among_all_are_those_of_every_page_and_a_list_says_how_many_there_are_more(
    run: Run, stack: Any
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method != "GET":
            return 200, {"applied": 1, "next": None, "waiting": 0, "error": None}
        after = int(asked.query.get("after", 0))
        if after >= 4:
            return 500, {"title": "Bug", "status": 500}
        page = [HEAD | {"id": id} for id in (after + 1, after + 2)]
        return 200, {"keys": 5 - after, "records": 9, "handlers": ["ClaimBoard"], "parked": page}

    with serving(answer) as double:
        stack(billing=double.url)
        listed = run("parked", "list", "--handler", "ClaimBoard", "--json")
        assert double.asked[-1].query == {"handler": "ClaimBoard"}, "the service chooses, from all it has"
        assert (len(json.loads(listed.stdout)), listed.exit_code) == (2, 0)
        assert "billing: 3 more keys are parked; these are the oldest." in listed.stderr
        answered = run("parked", "redrive", "--all", "--handler", "ClaimBoard", "--json")
        found = [each["record"] for each in json.loads(answered.stdout)]
        assert found == [f"billing/{id}" for id in (1, 2, 3, 4)]
        assert answered.exit_code == 1, "a page that did not come leaves keys behind"
        assert double.asked[-1].query == {"handler": "ClaimBoard", "after": "4"}


def test_a_discard_needs_a_reason_and_says_what_waits(run: Run, billing: Any) -> None:
    double, _ = billing
    assert run("parked", "discard", "billing/17").exit_code == 2
    answer = run("parked", "discard", "billing/17", "--reason", "sent twice")
    assert answer.exit_code == 0
    assert "caretrail parked redrive billing/18" in answer.stdout
    assert double.asked[-1].json() == {"reason": "sent twice"}


@pytest.mark.parametrize("record", ["17", "billing", "billing/x", "/17"])
def test_what_is_no_record_is_said(run: Run, record: str) -> None:
    answer = run("parked", "show", record)
    assert answer.exit_code == 2
    assert "SERVICE/NUMBER" in answer.stderr


def test_what_chooses_among_all_does_not_go_with_one_record(run: Run) -> None:
    answer = run("parked", "redrive", "billing/9", "--service", "intake")
    assert answer.exit_code == 2
    assert "--service and --handler go with --all" in answer.stderr


def test_a_service_that_is_not_there_is_said_in_words(run: Run, stack: Any) -> None:
    stack(billing="http://127.0.0.1:1")
    answer = run("parked", "list")
    assert answer.exit_code == 1
    assert "billing does not answer" in answer.stderr


def test_nothing_parked_is_said(run: Run, stack: Any) -> None:
    with serving(lambda asked: (200, {"keys": 0, "records": 0, "handlers": [], "parked": []})) as double:
        stack(billing=double.url)
        assert run("parked", "list").stdout == "Nothing is parked.\n"
        assert run("parked", "redrive", "--all").stdout == "Nothing is parked.\n"
