"""The running stack's file: read, or a clear word on why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import stack_file
from cli.problem import Problem
from cli.service import address
from cli.stack_file import NoStack
from tests.cli.conftest import Run
from tests.cli.double import Asked, serving
from tests.cli.test_status import PROGRESS


def test_a_running_stack_is_read_whatever_else_stands_beside(home: Path, stack: Callable[..., None]) -> None:
    stack(kafka="127.0.0.1:9092", intake="http://127.0.0.1:8001/")
    found = stack_file.read(home)
    assert found.kafka_bootstrap == "127.0.0.1:9092"
    assert address(found, "intake") == "http://127.0.0.1:8001"
    with pytest.raises(Problem, match="no service audit"):
        address(found, "audit")


def test_services_that_run_without_a_stack_are_named_by_one_setting(
    run: Run, home: Path, stack: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes before a stack of the home, and Kafka's address stands where the services have theirs."""
    whole = {"topic": "caretrail.audit.events", "state": "whole", "by_partition": []}
    counts = dict.fromkeys(("partitions", "records", "events"), 0)

    def answer(asked: Asked) -> tuple[int, Any]:
        told = {"/health/ready": {"faults": [], "refusing": "7 events are not published"}}
        return 200, told.get(asked.path, PROGRESS | whole | counts)

    stack(intake="http://127.0.0.1:1")
    with serving(answer) as audit:
        monkeypatch.setenv("CARETRAIL_SERVICE_URLS", json.dumps({"audit": audit.url}))
        assert run("topics", "list").exit_code == 0
        assert run("url", "audit").stdout == f"{audit.url}\n"
        assert run("url", "kafka").exit_code == 2
        shown = run("status", "--json")
        [process] = json.loads(shown.stdout)["processes"]
        assert (process["name"], process["state"], shown.exit_code) == ("audit", "running", 0)
        said = "audit: commands are turned away: 7 events are not published"
        assert said in run("status", columns=200).stdout
        restored = run("topics", "restore", "audit")
        assert restored.stderr == "set CARETRAIL_KAFKA_BOOTSTRAP to the address of Kafka\n"
        monkeypatch.setenv("CARETRAIL_KAFKA_BOOTSTRAP", "127.0.0.1:9092")
        assert run("url", "kafka").stdout == "127.0.0.1:9092\n"


@pytest.mark.parametrize("value", ["intake=x", '{"intake": 7}'], ids=["no JSON", "no text"])
def test_addresses_that_cannot_be_read_are_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CARETRAIL_SERVICE_URLS", value)
    answer = run("topics", "list")
    assert answer.exit_code == 1
    assert "CARETRAIL_SERVICE_URLS" in answer.stderr


@pytest.mark.usefixtures("held")
def test_a_stack_that_does_not_stop_is_said_to_run_still(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.stack.STOP_S", 0.1)
    asked = list[int]()
    monkeypatch.setattr("os.kill", lambda pid, number: asked.append(pid))
    (home / "run" / "lock").write_text("4711")
    answer = run("down", "--json")
    assert (answer.exit_code, answer.stdout, asked) == (1, "", [4711])
    assert f"the stack of {home} was asked to stop, and runs still" in answer.stderr


def test_no_stack_and_a_broken_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(NoStack, match="caretrail up"):
        stack_file.read(tmp_path)
    stack_file.path_under(tmp_path).parent.mkdir()
    stack_file.path_under(tmp_path).write_text('{"services": {}}')
    with pytest.raises(NoStack, match="/kafka_bootstrap: expected a value"):
        stack_file.read(tmp_path)
