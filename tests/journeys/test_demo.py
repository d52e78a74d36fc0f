"""The demonstration on servers that the environment names: anew each time, and only over what it made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from confluent_kafka import Producer

from tests.homes import HOMES
from tests.journeys.stage import drop

pytestmark = [pytest.mark.servers, pytest.mark.journey]

DEMO = ("demo", "--patients", "1", "--weeks", "1")
WAIT_S = 180


class Shell:
    """Runs ``caretrail`` with the run's servers named, under a prefix and in a home of its own."""

    def __init__(self, servers: dict[str, str], root: Path) -> None:
        self.servers, self.home, self.prefix = servers, root / "home", f"d{uuid4().hex[:12]}"

    def run(self, *argv: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        named = {
            "HOME": str(home or self.home),
            "POSTGRES_URL": self.servers["postgres"],
            "KAFKA_BOOTSTRAP": self.servers["kafka"],
            "TOPIC_PREFIX": self.prefix,
            "DATABASE_PREFIX": self.prefix,
            "API_TOKEN": "demo-token",
        }
        env = {
            **os.environ,
            "COLUMNS": "200",
            **{f"CARETRAIL_{name}": value for name, value in named.items()},
        }
        command = [sys.executable, "-m", "cli.main", *argv]
        return subprocess.run(command, env=env, text=True, capture_output=True, timeout=WAIT_S, check=False)

    def played(self) -> list[dict[str, Any]]:
        """The events that a demonstration counts."""
        figures = self.home.with_name("figures.json")
        done = self.run(*DEMO, "--json", str(figures))
        assert done.returncode == 0, done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(figures.read_text())["events"]
        return found


@pytest.fixture
def shell(servers: dict[str, str]) -> Iterator[Shell]:
    root = Path(tempfile.mkdtemp(prefix="caretrail-demo-", dir=HOMES))
    found = Shell(servers, root)
    yield found
    drop(servers["postgres"], found.prefix)
    shutil.rmtree(root, ignore_errors=True)


def test_a_migrated_home_plays_and_the_next_demonstration_begins_anew(shell: Shell) -> None:
    migrated = shell.run("migrate")
    assert migrated.returncode == 0, migrated.stderr
    first = shell.played()
    assert first
    assert shell.played() == first
    another = shell.run(*DEMO, home=shell.home.with_name("another"))
    assert another.returncode == 1
    assert f"{shell.prefix}_billing" in another.stderr
    assert "CARETRAIL_DATABASE_PREFIX" in another.stderr
    assert "Traceback" not in another.stderr


def test_topics_of_somebody_else_are_left_alone(shell: Shell) -> None:
    assert shell.run("migrate").returncode == 0
    topic = f"{shell.prefix}.intake.events"
    producer = Producer({"bootstrap.servers": shell.servers["kafka"]})
    producer.produce(topic, b"{}")
    assert producer.flush(WAIT_S) == 0
    refused = shell.run(*DEMO)
    assert refused.returncode == 1
    assert topic in refused.stderr
    with psycopg.connect(shell.servers["postgres"]) as connection:
        query = "select count(*) from pg_database where datname like %s"
        row = connection.execute(query, (f"{shell.prefix}%",)).fetchone()
    assert row == (7,)


@pytest.mark.parametrize(
    ("server", "command"),
    [("postgres", "demo"), ("postgres", "up"), ("postgres", "migrate"), ("kafka", "migrate")],
)
def test_a_server_that_does_not_answer_is_named(shell: Shell, server: str, command: str) -> None:
    nowhere = {"postgres": "postgresql://nobody@127.0.0.1:1/x", "kafka": "127.0.0.1:1"}
    shell.servers = {**shell.servers, server: nowhere[server]}
    done = shell.run(command)
    assert done.returncode == 1
    assert f"{'PostgreSQL' if server == 'postgres' else 'Kafka'} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
