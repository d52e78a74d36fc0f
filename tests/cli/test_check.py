"""`caretrail check` says who checks and why, and waits for audit as long as it is alive."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cli import looking
from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

VERIFIED = {"verified": True, "events": 160_000, "streams": 2_000, "differences": []}
ALTERED = {"service": "billing", "stream": "claim/1", "version": 3, "id": "5c83405b", "kind": "differs"}


@pytest.mark.parametrize(
    ("more", "user", "sent"),
    [
        ((), False, ("operator;compliance", "HCOMPL")),
        ((), True, ("ana;coordinator", "TREAT")),
        (("--actor", "ben;auditor", "--purpose", "HOPERAT"), True, ("ben;auditor", "HOPERAT")),
    ],
)
def test_who_checks_and_why_is_what_was_said_else_what_is_set(
    run: Run, stack: Callable[..., None], more: tuple[str, ...], user: bool, sent: tuple[str, str]
) -> None:
    with serving(lambda asked: (201, VERIFIED)) as audit:
        stack(audit=audit.url)
        found = run("check", *more, user=user)
        asked = audit.asked[-1].headers
    assert (found.exit_code, found.stdout[:25]) == (0, "Verified: 160,000 events ")
    assert (asked["caretrail-actor"], asked["caretrail-purpose"]) == sent


def test_a_long_check_is_waited_for_while_audit_is_alive(
    run: Run, stack: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    probed = list[Asked]()
    monkeypatch.setattr(looking, "PROBE_S", 0.01)

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/health/live":
            probed.append(asked)
            return 200, {"status": "live"}
        deadline = time.monotonic() + 10
        while len(probed) < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        return 201, VERIFIED

    with serving(answer) as audit:
        stack(audit=audit.url)
        assert run("check", "--json").exit_code == 0
        assert [asked.path for asked in audit.asked].count("/integrity-checks") == 1
    assert len(probed) >= 3


def test_an_audit_that_is_frozen_in_its_midst_is_told(
    run: Run, stack: Callable[..., None], frozen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "WORKING_S", 0.3)
    stack(audit=frozen)
    answer = run("check")
    assert answer.exit_code == 1
    assert "audit does not answer" in answer.stderr
    assert "did not even say that it is alive" in answer.stderr


def test_differences_are_named_and_their_ids_stay_whole(run: Run, stack: Callable[..., None]) -> None:
    found = VERIFIED | {"verified": False, "differences": [ALTERED]}
    with serving(lambda asked: (201, found)) as audit:
        stack(audit=audit.url)
        shown = run("check", columns=20)
        assert shown.exit_code == 1
        assert shown.stdout.splitlines() == ["billing claim/1, version 3: differs", "  event 5c83405b"]
        assert json.loads(run("check", "--json").stdout) == found
