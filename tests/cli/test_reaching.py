"""Servers that cannot be reached, and addresses that are none: told without what was given."""

from __future__ import annotations

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
