"""`caretrail topics`: topics beside their stores; one that lacks something is published again, on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli import looking
from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

WHOLE: dict[str, Any] = {
    "topic": "caretrail.intake.events",
    "service": "intake",
    "state": "whole",
    "partitions": 12,
    "records": 1200,
    "events": 1200,
    "by_partition": [],
}
LACKS = WHOLE | {
    "state": "lacks",
    "records": 900,
    "by_partition": [
        {"partition": 3, "records": 10, "last": 40, "events": 90, "head": 1100, "state": "lacks"},
        {"partition": 4, "records": 80, "last": 900, "events": 80, "head": 900, "state": "whole"},
    ],
}


def test_each_topic_is_shown_beside_its_store_and_what_it_lacks(run: Run, stack: Any) -> None:
    with serving(lambda asked: (200, LACKS)) as intake:
        stack(intake=intake.url)
        shown = run("topics", "list", columns=80).stdout
        assert " caretrail.intake.events " in shown
        assert "1,200" in shown
        assert "[3] ends at 40 with 10 records; the store at 1100 with 90 events." in shown
        assert "[4]" not in shown
        listed = run("topics", "list", "--json")
        assert (json.loads(listed.stdout), listed.exit_code) == ([LACKS], 1)
        [line] = [line for line in run("topics", "list", columns=50).stdout.splitlines() if "1,200" in line]
        assert line.split()[1:] == ["12", "900", "1,200", "lacks"], (
            "on a narrow screen names fold, and they alone"
        )


@pytest.mark.parametrize("name", ["intake", "caretrail.intake.events"])
def test_a_restore_says_who_asks_and_follows_the_relay(
    run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made: list[Any] = []
    monkeypatch.setattr("deploy.topics.make_topics", lambda *given: made.append(given))
    relayed = iter((0, 600, 1200, 1200))

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method == "POST":
            return 200, {"topic": WHOLE["topic"], "after": 0, "events": 1200}
        if asked.path.endswith("progress"):
            return 200, {"head": 1200, "relayed": next(relayed)}
        return 200, WHOLE

    with serving(answer) as intake:
        stack(intake=intake.url)
        done = run("topics", "restore", name, user=False)
        assert done.exit_code == 0
        assert done.stdout == "caretrail.intake.events: 1,200 events published again, whole.\n"
        posted = intake.asked[0]
        assert posted.path == "/internal/topic/republish"
        assert posted.headers["caretrail-actor"] == "operator;administrator"
        assert posted.headers["idempotency-key"]
        assert made == [("127.0.0.1:1", ["intake"], "caretrail")]


def test_who_no_longer_waits_for_a_restore_is_told_that_it_goes_on(
    run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.topics.make_topics", lambda *given: None)
    monkeypatch.setattr("cli.topics.time.sleep", interrupt)
    asked_for = WHOLE | {"after": 0, "head": 1200, "relayed": 600}
    with serving(lambda asked: (200, asked_for)) as intake:
        stack(intake=intake.url)
        done = run("topics", "restore", "intake")
    assert done.exit_code == 130
    assert done.stderr.startswith("caretrail.intake.events is published on by its service\n")


def test_who_leaves_before_the_topic_is_made_is_told_and_the_next_restore_says_what_was_left(
    run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first moved the relay's mark back already: the second finds nothing to move."""
    made: list[Any] = []

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method == "POST":
            return 200, {"topic": WHOLE["topic"], "after": None, "events": 0}
        if asked.path.endswith("progress"):
            return 200, {"head": 1200, "relayed": 1200 if made else 0}
        return 200, WHOLE | {"state": "whole" if made else "missing"}

    def interrupt(*given: Any) -> None:
        raise KeyboardInterrupt

    with serving(answer) as intake:
        stack(intake=intake.url)
        monkeypatch.setattr("deploy.topics.make_topics", interrupt)
        left = run("topics", "restore", "intake")
        assert left.exit_code == 130
        assert left.stderr.startswith("the topic of intake may be missing, or lack something, still\n")
        monkeypatch.setattr("deploy.topics.make_topics", lambda *given: made.append(given))
        done = run("topics", "restore", "intake")
    assert done.stdout == "caretrail.intake.events: 1,200 events published again, whole.\n"


def test_a_restore_that_a_frozen_service_leaves_unanswered_ends_and_may_be_carried_out(
    run: Run, stack: Any, frozen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "WORKING_S", 0.3)
    stack(intake=frozen)
    done = run("topics", "restore", "intake")
    assert done.exit_code == 1
    assert "did not even say that it is alive. What was asked for may still be carried out" in done.stderr


def test_a_topic_that_is_not_whole_afterwards_is_a_failure(
    run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.topics.make_topics", lambda *given: None)

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.method == "POST":
            return 200, {"topic": WHOLE["topic"], "after": None, "events": 0}
        return 200, LACKS | {"head": 5, "relayed": 5}

    with serving(answer) as intake:
        stack(intake=intake.url)
        assert run("topics", "restore", "intake").exit_code == 1


def test_an_unknown_topic_is_told_with_those_there_are(run: Run, stack: Any) -> None:
    stack(intake="http://127.0.0.1:1")
    done = run("topics", "restore", "intak")
    assert done.exit_code == 1
    assert "caretrail.intake.events" in done.stderr
