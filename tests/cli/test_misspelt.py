"""A setting that nobody reads is named, with the one that may be meant."""

import os
from pathlib import Path

import pytest

from cli.misspelt import unread


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings but a test's own."""
    for name in [name for name in os.environ if name.startswith("CARETRAIL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_that_is_like_a_setting_is_named_with_that(monkeypatch: pytest.MonkeyPatch, alone: Path) -> None:
    monkeypatch.setenv("CARETRAIL_SMPT_URL", "smtp://127.0.0.1:25")
    (alone / ".env").write_text("CARETRAIL_KAFKA_BOOTSTRAPS=127.0.0.1:9092\nOTHERS=1\n")
    assert list(unread()) == [
        "CARETRAIL_KAFKA_BOOTSTRAPS is no setting of this version: is CARETRAIL_KAFKA_BOOTSTRAP meant?",
        "CARETRAIL_SMPT_URL is no setting of this version: is CARETRAIL_SMTP_URL meant?",
    ]


def test_one_that_is_like_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARETRAIL_WHATEVER", "1")
    assert list(unread()) == ["CARETRAIL_WHATEVER is no setting of this version."]


@pytest.mark.parametrize(
    "name",
    ["HOME", "ACTOR", "SMTP_URL", "PROVIDER_NPI", "TOPIC_REPLICAS", "BILLING_DATABASE_URL", "TEST_DATA"],
)
def test_those_that_are_read_are_not(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"CARETRAIL_{name}", "1")
    assert list(unread()) == []
