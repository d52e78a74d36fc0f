"""`caretrail backup | restore`: what cannot be is said plainly, before anything is touched."""

from __future__ import annotations

import json
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Run

MOMENT = "2026-03-12T10:00"


@pytest.mark.parametrize("command", [["backup"], ["restore", "intake", "--to", MOMENT]])
def test_a_server_of_somebody_else_is_left_to_its_own_tools(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("CARETRAIL_POSTGRES_URL", "postgresql://admin:hidden@db.example/postgres")
    answer = run(*command)
    assert answer.exit_code == 1
    assert "names a server that is not this home's own" in answer.stderr
    assert "docs/operations/backup.md says how" in answer.stderr
    assert "hidden" not in answer.stderr


@pytest.mark.parametrize("command", [["backup"], ["restore", "intake", "--to", MOMENT]])
def test_without_a_running_stack_there_is_nothing_to_do(run: Run, home: Path, command: list[str]) -> None:
    answer = run(*command, "--json")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert json.loads(answer.stderr)["title"] == f"no PostgreSQL is running under {home}"
    assert not home.exists()


def test_a_backup_that_is_interrupted_says_what_that_leaves(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(found: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.local.backup.backups", lambda _: SimpleNamespace(alone=nullcontext))
    monkeypatch.setattr("deploy.local.backup.take", interrupt)
    answer = run("backup")
    assert (answer.exit_code, answer.stdout) == (130, "")
    assert answer.stderr.startswith("the backup was interrupted\n")
    assert "Earlier backups are as they were." in answer.stderr


@pytest.mark.parametrize("command", [["backup"], ["restore", "intake", "--to", MOMENT]])
def test_what_a_killed_postgresql_left_is_not_taken_for_one_that_runs(
    run: Run, home: Path, command: list[str]
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (home / "postgres").mkdir(parents=True)
    left = home / "postgres" / "postmaster.pid"
    left.write_text(f"{ended.pid}\n{left.parent}\n1790000000\n5432\n{left.parent}\n\n  1  1\nready   \n")
    answer = run(*command, columns=300)
    assert answer.exit_code == 1
    assert f"no PostgreSQL is running under {home}" in answer.stderr
    assert "postgres/log under the home says why" in answer.stderr
    assert [path.name for path in left.parent.iterdir()] == [left.name], "nothing was started"


@pytest.mark.parametrize(
    ("service", "at", "said"),
    [
        ("keystore", MOMENT, "the keystore is never brought back"),
        ("payroll", MOMENT, "expected one of intake"),
        ("intake", "yesterday", "expected a time such as"),
        ("intake", "0001-01-01", "expected a time such as"),
        ("intake", "9999-12-31T23:00:00-14:00", "expected a time such as"),
    ],
)
def test_what_is_no_service_or_no_time_is_named(run: Run, service: str, at: str, said: str) -> None:
    answer = run("restore", service, "--to", at, columns=200)
    assert answer.exit_code == 2
    assert said in answer.stderr
