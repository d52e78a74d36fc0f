"""The running stack's file: read, or a clear word on why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import stack_file
from cli.problem import Problem
from cli.service import address
from cli.stack_file import NoStack


def test_a_running_stack_is_read_whatever_else_stands_beside(home: Path, stack: Callable[..., None]) -> None:
    stack(kafka="127.0.0.1:9092", intake="http://127.0.0.1:8001/")
    found = stack_file.read(home)
    assert found.kafka_bootstrap == "127.0.0.1:9092"
    assert address(found, "intake") == "http://127.0.0.1:8001"
    with pytest.raises(Problem, match="no service audit"):
        address(found, "audit")


def test_no_stack_and_a_broken_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(NoStack, match="caretrail up"):
        stack_file.read(tmp_path)
    stack_file.path_under(tmp_path).parent.mkdir()
    stack_file.path_under(tmp_path).write_text('{"services": {}}')
    with pytest.raises(NoStack, match="/kafka_bootstrap: expected a value"):
        stack_file.read(tmp_path)
