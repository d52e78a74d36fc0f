"""Counting: what was answered to commands, whichever place made the answer."""

from __future__ import annotations

from fastapi import Request
from prometheus_client import Counter

LOOKING = ("GET", "HEAD", "OPTIONS")
OPENING = "/open"
"""Opens sealed values for the caller: a look, though it is a POST."""

COMMANDS = Counter("caretrail_commands", "Commands answered over HTTP", ["outcome"])
for failing in ("Bug", "Unavailable"):
    COMMANDS.labels(failing)  # there from the start: a rise from nothing is one only where nothing was seen
OUTCOMES = {False: COMMANDS.labels("accepted"), True: COMMANDS.labels("repeated")}


def is_command(method: str, path: str) -> bool:
    """Whether a request is a command: not one that looks, or that operators send."""
    return method not in LOOKING and path != OPENING and not path.startswith("/internal/")


def count_problem(request: Request, rule: str) -> None:
    """Count what a request is answered with, where it is a command."""
    if is_command(request.method, request.url.path):
        COMMANDS.labels(rule).inc()
