"""Where services stumble: answers that are nobody's fault but their own, and errors in their logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.evidence import SERVICES, Evidence

SURROUNDINGS = ("aiokafka", "psycopg")
"""Loggers of libraries that tell of what is done to them."""

MEANT = (
    *("struck_off", "store_is_another", "epoch_is_over", "epoch_is_over"),  # a process that must end
    *("Cancel ", "CancelledError"),  # a server that ended before its answers
    *("Application startup failed", "Traceback (most"),  # one that could not start: it is started again
    "Unclosed AIOKafkaProducer",  # of a client that the framework could not start
)
"""Beginnings and ends of what is told as an error, and is none of ours."""

TOLD_MAX = 300


def logged(home: Path) -> list[str]:
    """Each different error that a service's processes logged: whose, what, and where it came from."""
    found = dict[str, None]()
    for path in sorted((home / "logs").glob("*.log")):
        if path.stem.partition("-")[0] in SERVICES:
            with path.open(errors="replace") as lines:
                found |= dict.fromkeys(f"{path.stem}: {each}" for line in lines for each in _error(line))
    return list(found)


def _error(line: str) -> Iterator[str]:
    if '"level": "error"' not in line and '"level": "critical"' not in line:
        return
    try:
        said: dict[str, Any] = json.loads(line)
    except ValueError:  # cut where the process was killed
        return
    traceback = str(said.get("exception", "")).strip().splitlines()
    places = [part.strip() for part in traceback if part.lstrip().startswith("File ")]
    words = " ".join([str(said.get("event", "")).strip(), *traceback[-1:], *places[-1:]])
    own = not str(said.get("logger", "")).startswith(SURROUNDINGS)
    if own and not any(way in words for way in MEANT):
        yield words[:TOLD_MAX]


def answered(evidence: Evidence) -> Iterator[str]:
    """A service that cannot take a command says so; it never stumbles."""
    for operation in evidence.history:
        if any(status >= 500 and status != 503 for status in operation["statuses"]):
            yield f"{operation['service']} command {operation['number']}: {operation['statuses']}"


def quiet(evidence: Evidence) -> Iterator[str]:
    """Whatever is done to it, no service logs an error: those are bugs of its own."""
    yield from evidence.errors
