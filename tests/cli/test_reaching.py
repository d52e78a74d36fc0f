"""Servers that cannot be reached, and addresses that are none: told without what was given."""

from __future__ import annotations

from pathlib import Path

import pytest

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
