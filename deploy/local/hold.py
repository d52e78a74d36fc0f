"""A hold: a service's processes are stopped and not started again until it ends, or its holder dies.

A hold is a lock of the kernel on a file of the home: nobody has to clear it away.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

STOP_S = 20.0
"""How long a process may take to stop; then it is killed."""


class Held(Exception):
    """Somebody else holds the service already."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a service, as the supervisor writes it down."""

    name: str
    pid: int
    port: int | None
    restarts: int


@contextmanager
def passing(home: Path, program: str) -> Iterator[bool]:
    """Whether a program may be started now; no hold of its service begins before the block ends."""
    with _file(home, _service(program)).open("a") as file:
        yield _locked(file.fileno(), fcntl.LOCK_SH)


@contextmanager
def held(home: Path, service: str, by: str) -> Iterator[list[Process]]:
    """Hold a service, ``by`` what in words: its processes, which were stopped. Raises Held."""
    with _file(home, service).open("a") as file:
        deadline = time.monotonic() + STOP_S
        while not _locked(file.fileno(), fcntl.LOCK_EX):  # a start that is under way
            if time.monotonic() > deadline:
                raise Held(f"{service} is held by another process")
            time.sleep(0.02)
        _file(home, service).write_text(f"{by} (process {os.getpid()})")
        found = processes(home, service)
        for process in found:
            _stop(process.pid)
        yield found


def holder(home: Path, program: str) -> str | None:
    """By what the service of a program is held now; None where it is not."""
    path = _file(home, _service(program))
    with path.open("a") as file:
        return None if _locked(file.fileno(), fcntl.LOCK_SH) else path.read_text()


def processes(home: Path, service: str) -> list[Process]:
    """The processes of a service: one, or one for each role."""
    found = [json.loads(path.read_text()) for path in (home / "run").glob("*.json")]
    ours = [each for each in found if "restarts" in each and _service(each["name"]) == service]
    return [Process(each["name"], each["pid"], each["port"], each["restarts"]) for each in ours]


def _service(program: str) -> str:
    # A role that runs apart is named after both: billing-relay is of billing.
    return program.partition("-")[0]


def _file(home: Path, service: str) -> Path:
    path = home / "run" / f"{service}.hold"
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    return path


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(pid: int) -> None:
    """Ask a process to stop, and kill it when it does not; the supervisor sees it end."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
