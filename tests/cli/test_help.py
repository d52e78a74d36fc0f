"""Help and misuse of every command: no empty place, no traceback, `--json` everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from tests.cli.conftest import Run


def commands(group: Any, *above: str) -> list[str]:
    """Every command, by its words."""
    found = []
    for name, command in group.commands.items():
        words = (*above, name)
        found += commands(command, *words) if hasattr(command, "commands") else [" ".join(words)]
    return found


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)))
def test_help_has_no_empty_place_and_offers_json(run: Run, command: str) -> None:
    shown = run(*command.split(), "--help", columns=200).stdout
    assert not re.search(r"\[(default: ?)?\]|/ \.|\w \.(\s|$)", shown), shown
    assert "--json" in shown


def test_a_default_that_is_a_place_is_shown(run: Run) -> None:
    assert "mailbox/ under the home" in run("mailbox", "--help").stdout
    assert "those of the contracts project" in run("contracts", "check", "--help").stdout


def test_an_address_is_given_to_programs_too(run: Run, stack: Any) -> None:
    stack(kafka="127.0.0.1:9092", intake="http://127.0.0.1:8001")
    assert run("url", "intake").stdout == "http://127.0.0.1:8001\n"
    found = json.loads(run("url", "kafka", "--json").stdout)
    assert found == {"name": "kafka", "address": "127.0.0.1:9092"}


def test_a_service_without_a_token_listens_to_this_machine_alone(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INTAKE", "KEYSTORE"):
        monkeypatch.setenv(f"CARETRAIL_{name}_DATABASE_URL", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("CARETRAIL_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("CARETRAIL_HOST", "0.0.0.0")
    said = "0.0.0.0 is not a loopback address: set CARETRAIL_API_TOKEN to listen there"
    answer = run("run", "intake")
    assert answer.exit_code == 1
    assert answer.stderr.splitlines() == [said]
    answer = run("run", "intake", "--json")
    assert (answer.exit_code, answer.stdout, json.loads(answer.stderr)) == (1, "", {"title": said})
    for command in ("up", "demo"):
        answer = run(command)
        assert (answer.exit_code, answer.stdout, answer.stderr.splitlines()) == (1, "", [said])
    assert not home.exists()


def test_a_setting_that_cannot_be_is_named_without_its_value(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARETRAIL_PORT", "eighty")
    answer = run("status")
    assert answer.exit_code == 1
    assert "CARETRAIL_PORT" in answer.stderr
    for_programs = run("status", "--json")
    assert (for_programs.exit_code, for_programs.stdout) == (1, "")
    assert json.loads(for_programs.stderr)["places"][0]["at"] == "CARETRAIL_PORT"
    assert "eighty" not in answer.stderr + for_programs.stderr
