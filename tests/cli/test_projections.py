"""`caretrail projections` while a service goes away in the midst of a rebuild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

STATE = {
    "name": "ClaimBoard",
    "service": "billing",
    "phase": "folding",
    "done": 1,
    "total": 2,
    "seconds": 0.1,
    "ended_at": None,
}


def test_a_service_that_dies_meanwhile_is_said_to_go_on_once_it_is_back(
    run: Run, stack: Callable[..., None]
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/internal/projections":
            return 200, [STATE]
        if asked.method == "POST":
            return 202, STATE
        raise ConnectionAbortedError  # the connection ends without an answer

    with serving(answer) as billing:
        stack(billing=billing.url)
        found = run("projections", "rebuild", "ClaimBoard")
    assert found.exit_code == 1
    assert "The rebuild goes on by itself once the service is back." in found.stderr
    assert "caretrail projections list" in found.stderr
