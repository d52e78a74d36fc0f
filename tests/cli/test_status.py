"""`caretrail status` of a stack that starts, of one that was killed, and of none."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

PID_MAX = 4_194_304
"""Linux gives no higher one: nobody has it."""


@pytest.fixture
def held(home: Path) -> Iterator[None]:
    """A stack of the home runs, starts or stops."""
    path = home / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
