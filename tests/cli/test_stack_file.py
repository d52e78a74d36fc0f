"""The running stack's file: written whole, read with clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import stack_file
from cli.problem import Problem
from cli.service import address
from cli.stack_file import NoStack, Stack


def test_a_stack_that_was_written_is_read_again_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    stack = Stack(kafka_bootstrap="127.0.0.1:9092", services={"intake": "http://127.0.0.1:8001/"})
    stack_file.write(tmp_path, stack)
    assert stack_file.read(tmp_path) == stack
    assert stack_file.path_under(tmp_path).stat().st_mode & 0o077 == 0
    assert address(stack, "intake") == "http://127.0.0.1:8001"
    with pytest.raises(Problem, match="no service audit"):
        address(stack, "audit")


def test_no_stack_and_a_broken_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(NoStack, match="caretrail up"):
        stack_file.read(tmp_path)
    stack_file.path_under(tmp_path).parent.mkdir()
    stack_file.path_under(tmp_path).write_text('{"services": {}}')
    with pytest.raises(NoStack, match="/kafka_bootstrap"):
        stack_file.read(tmp_path)
