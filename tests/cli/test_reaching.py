"""Servers that cannot be reached, and addresses that are none: told without what was given."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from deploy.local import jars
from tests.cli.conftest import Run


@pytest.mark.parametrize("address", ["Sesame-junk", "http://sesame.example"])
def test_an_address_that_is_none_is_said_to_be_so_and_not_repeated(
    run: Run, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("CARETRAIL_POSTGRES_URL", address)
    answer = run("migrate")
    assert answer.exit_code == 1
    assert "CARETRAIL_POSTGRES_URL cannot be read" in answer.stderr
    assert "esame" not in answer.stderr


def test_a_broker_that_does_not_answer_is_told_before_a_home_is_made(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARETRAIL_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr("deploy.topics.SEEN_MAX_S", 1)
    answer = run("up")
    assert answer.exit_code == 1
    assert "CARETRAIL_KAFKA_BOOTSTRAP is the address of a broker that runs" in answer.stderr
    assert not home.exists()


@pytest.mark.parametrize("prefix", ["esame.", ".esame", "es..ame", "es ame", "esame/"])
def test_a_prefix_that_makes_no_topic_is_refused_in_words(
    run: Run, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv("CARETRAIL_TOPIC_PREFIX", prefix)
    answer = run("status")
    assert answer.exit_code == 1
    assert "CARETRAIL_TOPIC_PREFIX" in answer.stderr
    assert "letters, digits, - and _ with single dots between" in answer.stderr
    assert "ame" not in answer.stderr.replace("name", "")


def test_a_setting_is_told_in_plain_words(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARETRAIL_PORT", "Sesame")
    answer = run("status")
    assert "a whole number" in answer.stderr
    assert "Input should" not in answer.stderr


def test_what_is_no_service_and_no_topic_is_told_without_a_stack(run: Run) -> None:
    answer = run("tail", "nix")
    assert answer.exit_code == 2
    assert "audit, billing, clinical" in answer.stderr


@pytest.mark.parametrize("command", ["up", "demo", "status", "down"])
def test_a_home_that_is_a_file_is_told(run: Run, home: Path, command: str) -> None:
    home.write_text("")
    answer = run(command)
    assert (answer.exit_code, type(answer.exception)) == (1, SystemExit)
    assert "cannot be used" in answer.stderr
    assert "CARETRAIL_HOME" in answer.stderr


def test_a_home_that_cannot_be_made_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARETRAIL_HOME", "/proc/foo")
    answer = run("up", "--json")
    assert answer.exit_code == 1
    problem = json.loads(answer.stderr.splitlines()[-1])
    assert problem["title"] == "the home /proc/foo cannot be used"


def test_an_env_file_that_is_no_text_is_told_by_the_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"CARETRAIL_CELL=\xffesame")
    answer = run("status")
    assert answer.exit_code == 1
    assert ".env cannot be read as text" in answer.stderr
    assert "byte 16" in answer.stderr
    assert "esame" not in answer.stderr


def test_a_jar_that_does_not_come_is_told(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(jars.JarMissing):
        jars.classpath()
    monkeypatch.setenv("CARETRAIL_POSTGRES_URL", "postgresql://127.0.0.1:1/postgres")
    answer = run("up")
    assert answer.exit_code == 1
    assert ".jar is not in" in answer.stderr
    assert "copy that folder" in answer.stderr.replace("\n", " ")


@pytest.mark.parametrize("command", ["up", "demo", "run"])
@pytest.mark.parametrize(
    ("service", "name", "expected"),
    [
        ("notifications", "CARETRAIL_SMTP_URL", "smtp://"),
        ("audit", "CARETRAIL_SERVICE_URLS", "JSON"),
        ("audit", "CARETRAIL_LOG_LEVEL", "WARNING"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_starts(
    run: Run,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    name: str,
    expected: str,
    command: str,
) -> None:
    monkeypatch.delitem(sys.modules, f"services.{service}.app", raising=False)  # options are read at import
    monkeypatch.setenv(name, "Sesame")
    answer = run(command, *[service] * (command == "run"))
    assert answer.exit_code == 1
    assert name in answer.stderr
    assert expected in answer.stderr
    assert "esame" not in answer.output
    assert not home.exists()
