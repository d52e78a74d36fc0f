"""The running stack's file: read, or a clear word on why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import stack_file
from cli.problem import Problem
from cli.service import address
from cli.stack_file import NoStack
from tests.cli.conftest import Run


def test_a_running_stack_is_read_whatever_else_stands_beside(home: Path, stack: Callable[..., None]) -> None:
    stack(kafka="127.0.0.1:9092", intake="http://127.0.0.1:8001/")
    found = stack_file.read(home)
    assert found.kafka_bootstrap == "127.0.0.1:9092"
    assert address(found, "intake") == "http://127.0.0.1:8001"
    with pytest.raises(Problem, match="no service audit"):
        address(found, "audit")


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
