"""The command line in a home and an environment of its own."""

from __future__ import annotations

import fcntl
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import looking, screen, stack_file
from cli.main import app

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, with nobody named as actor."""
    for name in ("ACTOR", "PURPOSE", "KAFKA_BOOTSTRAP", "API_TOKEN", "POSTGRES_URL", "SERVICE_URLS"):
        monkeypatch.delenv(f"CARETRAIL_{name}", raising=False)
    monkeypatch.setenv("CARETRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``caretrail`` with arguments, in a terminal of a width."""

    def runner(*argv: object, columns: int = 120, user: bool = True) -> Result:
        screen.out.cache_clear()
        screen.err.cache_clear()
        env = {"COLUMNS": str(columns), "TERM": "dumb", "NO_COLOR": "1"}
        if user:
            env |= {"CARETRAIL_ACTOR": "ana;coordinator", "CARETRAIL_PURPOSE": "TREAT"}
        return CliRunner(env=env).invoke(app, [str(part) for part in argv])

    return runner


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a service that is stopped in its tracks: it takes connections and says nothing."""
    monkeypatch.setattr(looking, "PROBE_S", 0.05)
    monkeypatch.setattr(looking, "ALIVE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def stack(home: Path) -> Callable[..., None]:
    """Write down a running stack with these services."""

    def write(kafka: str = "127.0.0.1:1", **services: str) -> None:
        path = stack_file.path_under(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"pid": 1, "kafka_bootstrap": kafka, "services": services}))

    return write


@pytest.fixture
def held(home: Path) -> Iterator[None]:
    """A stack of the home runs, starts or stops."""
    path = home / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
