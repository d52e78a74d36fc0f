"""Whatever the command line asks a service for, the credential in force goes with it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.cli.conftest import Run
from tests.cli.double import serving

UNAUTHORIZED = {"title": "Unauthorized", "status": 401, "detail": "Send the credential in force."}

ASKING = [
    ("status",),
    ("check",),
    ("timeline", uuid4()),
    ("parked", "list"),
    ("consumers", "list"),
    ("topics", "list"),
    ("projections", "list"),
]


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_each_request_carries_the_credential_and_says_where_it_is_the_wrong_one(
    run: Run, stack: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[object, ...]
) -> None:
    monkeypatch.setenv("CARETRAIL_API_TOKEN", "secret")
    with serving(lambda asked: (401, UNAUTHORIZED)) as service:
        stack(intake=service.url, audit=service.url)
        result = run(*command)
    assert result.exit_code == 1
    assert "Unauthorized" in result.stderr
    assert service.asked
    assert {asked.headers.get("authorization") for asked in service.asked} == {"Bearer secret"}
