"""`caretrail status` of a stack that starts, of one that was killed, of none, and of services not ready."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local import hold
from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

PID_MAX = 4_194_304
"""Linux gives no higher one: nobody has it."""

FAULT = "topic-feed: caretrail.intake.events[3]: position 9 follows 8, but only 0 was applied"
PROGRESS = {"service": "audit", "source": "a", "sources": [], "consumed": {}, "head": 0, "heads": {}}


def process(home: Path, pid: int) -> None:
    entry = {"name": "payer", "pid": pid, "port": None, "restarts": 0}
    (home / "run" / "payer.json").write_text(json.dumps(entry))


def test_a_stack_that_is_starting_is_said_to(run: Run, held: None) -> None:
    answer = run("status")
    assert answer.exit_code == 1
    assert "is starting or stopping" in answer.stderr


def test_a_killed_stack_is_said_to_be_one_and_what_to_do(run: Run, home: Path, stack: Any) -> None:
    stack()
    process(home, PID_MAX + 1)
    answer = run("status")
    assert answer.exit_code == 1
    assert "dead" in answer.stdout
    assert "was killed" in answer.stderr
    assert "caretrail down" in answer.stderr
    for_programs = run("status", "--json")
    assert for_programs.exit_code == 1
    assert json.loads(for_programs.stdout)["state"] == "killed"


def test_a_process_that_a_restore_holds_is_not_said_to_be_dead(
    run: Run, home: Path, stack: Any, held: None
) -> None:
    stack()
    process(home, PID_MAX + 1)
    with hold.held(home, "payer", "a restore"):
        [shown] = json.loads(run("status", "--json").stdout)["processes"]
        assert (shown["state"], shown["held_by"]) == ("held", f"a restore (process {os.getpid()})")
        assert f"payer: stopped and held by {shown['held_by']}" in run("status").stdout
    [shown] = json.loads(run("status", "--json").stdout)["processes"]
    assert (shown["state"], shown["held_by"]) == ("dead", None)


def test_what_a_killed_start_left_is_said(run: Run, home: Path) -> None:
    path = home / "postgres" / "postmaster.pid"
    path.parent.mkdir(parents=True)
    path.write_text(f"{PID_MAX + 1}\n")
    answer = run("status")
    assert answer.exit_code == 1
    assert "killed while it started" in answer.stderr
    assert "caretrail down" in answer.stderr


def test_a_running_stack_has_no_problem(run: Run, home: Path, stack: Any, held: None) -> None:
    stack()
    answer = run("status", "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["state"] == "running"


def test_no_stack_is_said(run: Run) -> None:
    answer = run("status")
    assert answer.exit_code == 1
    assert "caretrail up" in answer.stderr


@pytest.fixture
def alive(home: Path) -> Callable[..., None]:
    """Write down a process of the stack that is alive: this one."""

    def write(name: str, url: str = "http://127.0.0.1:1") -> None:
        port = int(url.rpartition(":")[2])
        entry = {"name": name, "pid": os.getpid(), "port": port, "started": "", "restarts": 0}
        (home / "run" / f"{name}.json").write_text(json.dumps(entry))

    return write


@pytest.mark.parametrize(
    ("faults", "state"), [([], "running"), ([FAULT, "timers died"], "not ready")], ids=["ready", "not ready"]
)
def test_a_service_says_whether_it_is_ready_and_why_not(
    run: Run,
    stack: Callable[..., None],
    alive: Callable[..., None],
    faults: list[str],
    state: str,
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/health/ready":
            return 503 if faults else 200, {"status": state, "faults": faults}
        return 200, PROGRESS

    with serving(answer) as audit:
        stack(audit=audit.url)
        alive("audit-consumers", audit.url)
        alive("kafka")
        [of_audit, of_kafka] = json.loads(run("status", "--json").stdout)["processes"]
        assert (of_audit["state"], of_audit["faults"]) == (state, faults)
        assert (of_kafka["state"], of_kafka["faults"]) == ("running", [])
        shown = run("status", columns=200).stdout
        assert all(f"audit-consumers: {fault}" in shown for fault in faults)
        assert ("not ready" in shown) == bool(faults)


def test_a_service_that_does_not_answer_is_not_ready(
    run: Run, stack: Callable[..., None], alive: Callable[..., None]
) -> None:
    stack(audit="http://127.0.0.1:1")
    alive("audit")
    [found] = json.loads(run("status", "--json").stdout)["processes"]
    assert (found["state"], found["faults"]) == ("not ready", ["it does not answer: ConnectError"])


def test_parked_records_are_counted_and_shown(
    run: Run, stack: Callable[..., None], alive: Callable[..., None], held: None
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        ready = {"status": "ready", "faults": []}
        return 200, ready if asked.path == "/health/ready" else PROGRESS | {"parked": 8}

    with serving(answer) as audit:
        stack(audit=audit.url)
        alive("audit", audit.url)
        assert json.loads(run("status", "--json").stdout)["parked"] == {"audit": 8}
        assert "audit: parked, with what waits behind it: 8" in run("status", columns=200).stdout


def test_a_paused_reader_is_said_and_is_no_fault(
    run: Run, stack: Callable[..., None], alive: Callable[..., None], held: None
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        ready = {"status": "ready", "faults": [], "paused": ["caretrail.intake.events[3]"]}
        ready["older"] = ["Seats: version 1 serves until 2 is rebuilt"]
        ready["minor"] = ["timers: 7 not fired"]
        return 200, ready if asked.path == "/health/ready" else PROGRESS

    with serving(answer) as audit:
        stack(audit=audit.url)
        alive("audit", audit.url)
        [found] = json.loads(run("status", "--json").stdout)["processes"]
        assert (found["state"], found["paused"]) == ("running", ["caretrail.intake.events[3]"])
        shown = run("status", columns=200).stdout
        assert "audit: a person paused caretrail.intake.events[3]" in shown
        assert "audit: Seats: version 1 serves until 2 is rebuilt" in shown
        assert "audit: timers: 7 not fired" in shown


def test_a_lag_is_counted_by_the_source_and_is_no_difference_of_positions(
    run: Run, stack: Callable[..., None], held: None
) -> None:
    """Partition 0 holds 1, 3 and 8, partition 1 the rest: audit lacks six events, not 7 + 5."""
    heads = {"head": 9, "heads": {"0": 8, "1": 9}}
    told = {
        "audit": PROGRESS | {"sources": ["intake"], "consumed": {"i": {"0": 1, "1": 4}}},
        "intake": PROGRESS | heads | {"service": "intake", "source": "i", "consumed": {"store": {"0": 9}}},
    }
    counts: list[tuple[int, Any]] = [(200, {"events": 6}), (503, {"title": "Unavailable"})]

    def of_intake(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/internal/progress":
            return 200, told["intake"]
        assert asked.path == "/internal/progress/above"
        return counts.pop(0)

    with serving(lambda asked: (200, told["audit"])) as audit, serving(of_intake) as intake:
        stack(audit=audit.url, intake=intake.url)
        found = {
            (row["service"], row["source"]): row
            for row in json.loads(run("status", "--json").stdout)["consumers"]
        }
        row = found["audit", "intake"]
        assert (row["position"], row["head"], row["lag"]) == (4, 9, 6)
        assert found["intake", "own store"]["lag"] == 0
        [line] = [line.split() for line in run("status").stdout.splitlines() if "audit    intake" in line]
        assert line == ["audit", "intake", "4", "9", "?"], "what is not known is not shown as none"
