"""Commands that last tell programs once, on one line of stdout, where what they started is."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.local.memory import Peak
from deploy.local.stack import Servers, Stack
from deploy.local.supervisor import Supervisor
from tests.cli.conftest import Run

URL = "http://127.0.0.1:8001"


@pytest.fixture
def started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that starts at once and is asked to stop as soon as it is up."""

    @asynccontextmanager
    async def up(settings: Any) -> AsyncIterator[Stack]:
        servers = Servers("127.0.0.1:9092", "", [])
        found = Stack(home, servers, {"intake": URL}, Supervisor(home), Peak(), None)
        os.kill(os.getpid(), signal.SIGTERM)
        yield found

    monkeypatch.setattr("deploy.local.stack.up", up)


@pytest.mark.usefixtures("started")
def test_a_stack_that_is_up_is_told_to_programs_on_one_line(run: Run, home: Path) -> None:
    answer = run("up", "--json")
    assert answer.exit_code == 0
    [line] = answer.stdout.splitlines()
    assert json.loads(line) == {
        "home": str(home),
        "pid": os.getpid(),
        "logs": str(home / "logs"),
        "mailbox": str(home / "mailbox"),
        "kafka_bootstrap": "127.0.0.1:9092",
        "services": {"intake": URL},
        "docs": {"intake": f"{URL}/docs"},
    }
    assert answer.stderr.splitlines()[-1] == "Stopped."


@pytest.mark.usefixtures("started")
def test_a_stack_that_is_up_is_told_to_people(run: Run) -> None:
    answer = run("up")
    assert (answer.exit_code, answer.stderr) == (0, "")
    for said in (f"{URL}/docs", "127.0.0.1:9092", "Ready. Ctrl-C stops everything.", "Stopped."):
        assert said in answer.stdout


@pytest.mark.parametrize(
    ("argv", "roles"),
    [((), ["api", "relay", "consumers", "timers"]), (("--role", "relay"), ["relay"])],
    ids=["all", "relay"],
)
def test_a_service_that_answers_is_told_to_programs_on_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], roles: list[str]
) -> None:
    for name in ("INTAKE", "KEYSTORE"):
        monkeypatch.setenv(f"CARETRAIL_{name}_DATABASE_URL", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("CARETRAIL_KAFKA_BOOTSTRAP", "127.0.0.1:1")

    def serve(service: Any, settings: Any, role: Any, tell: Callable[[str], None]) -> None:
        tell(URL)

    monkeypatch.setattr("deploy.serving.serve", serve)
    monkeypatch.setattr("deploy.master.see_master", lambda keystore, secrets: None)
    monkeypatch.setattr("deploy.migration.see_usable", lambda address: None)
    answer = run("run", "intake", *argv, "--json")
    [line] = answer.stdout.splitlines()
    assert json.loads(line) == {"service": "intake", "roles": roles, "url": URL, "pid": os.getpid()}
    assert run("run", "intake", *argv).stdout == ""
