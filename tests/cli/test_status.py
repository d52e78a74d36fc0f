"""`caretrail status`: a process that runs but is not ready shows so, with its reason."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

FAULT = "TopicFeed: caretrail.intake.events[3]: position 9 follows 8, but only 0 was applied"
PROGRESS = {"service": "audit", "source": "a", "sources": [], "consumed": {}, "head": 0, "heads": {}}


@pytest.fixture
def process(home: Path) -> Callable[..., None]:
    """Write down a process of the stack that is alive: this one."""

    def write(name: str, url: str = "http://127.0.0.1:1") -> None:
        port = int(url.rpartition(":")[2])
        entry = {"name": name, "pid": os.getpid(), "port": port, "started": "", "restarts": 0}
        (home / "run" / f"{name}.json").write_text(json.dumps(entry))

    return write


@pytest.mark.parametrize(
    ("faults", "state"), [([], "running"), ([FAULT, "timers died"], "not ready")], ids=["ready", "not ready"]
)
def test_a_service_says_whether_it_is_ready_and_why_not(
    run: Run,
    stack: Callable[..., None],
    process: Callable[..., None],
    faults: list[str],
    state: str,
) -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/health/ready":
            return 503 if faults else 200, {"status": state, "faults": faults}
        return 200, PROGRESS

    with serving(answer) as audit:
        stack(audit=audit.url)
        process("audit-consumers", audit.url)
        process("kafka")
        [of_audit, of_kafka] = json.loads(run("status", "--json").stdout)["processes"]
        assert (of_audit["state"], of_audit["faults"]) == (state, faults)
        assert (of_kafka["state"], of_kafka["faults"]) == ("running", [])
        shown = run("status", columns=200).stdout
        assert all(f"audit-consumers: {fault}" in shown for fault in faults)
        assert ("not ready" in shown) == bool(faults)


def test_a_service_that_does_not_answer_is_not_ready(
    run: Run, stack: Callable[..., None], process: Callable[..., None]
) -> None:
    stack(audit="http://127.0.0.1:1")
    process("audit")
    [found] = json.loads(run("status", "--json").stdout)["processes"]
    assert (found["state"], found["faults"]) == ("not ready", ["it does not answer: ConnectError"])
