"""The real servers: a restart keeps what was kept, homes do not meet, named servers replace our own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from chassis.config import Settings
from deploy.local import keeping, postgres, stack
from tests.homes import HOMES

pytestmark = pytest.mark.servers
WAIT_S = 30


@pytest.fixture
def tmp_homes() -> Iterator[Callable[[str], Path]]:
    """Makes homes outside of pytest's own folder, which another run closes to PostgreSQL's user."""
    with tempfile.TemporaryDirectory(prefix="caretrail-test-", dir=HOMES, ignore_cleanup_errors=True) as root:
        yield lambda word: Path(tempfile.mkdtemp(prefix=f"{word}-", dir=root))


@contextmanager
def bare(home: Path) -> Iterator[dict[str, str]]:
    """The servers of a home as a program; their addresses."""
    argv = (sys.executable, "-m", "deploy.local.bare", "--home", str(home))
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())
        finally:
            process.communicate(timeout=WAIT_S)
    assert process.returncode == 0


def keep(servers: dict[str, str], word: str) -> None:
    with psycopg.connect(servers["postgres"]) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [word])
    admin = AdminClient({"bootstrap.servers": servers["kafka"]})
    for made in admin.create_topics([NewTopic("kept", 1, 1)]).values():
        made.result(WAIT_S)
    producer = Producer({"bootstrap.servers": servers["kafka"]})
    producer.produce("kept", word.encode())
    assert producer.flush(WAIT_S) == 0


def kept(servers: dict[str, str]) -> tuple[str, str]:
    with psycopg.connect(servers["postgres"]) as connection:
        row = connection.execute("SELECT word FROM kept").fetchone()
    where = {"bootstrap.servers": servers["kafka"], "group.id": "test", "auto.offset.reset": "earliest"}
    consumer = Consumer(where)
    consumer.subscribe(["kept"])
    record = consumer.poll(WAIT_S)
    consumer.close()
    assert row is not None
    assert record is not None
    value = record.value()
    assert isinstance(value, bytes)
    return str(row[0]), value.decode()


def test_two_homes_run_side_by_side_and_a_restart_keeps_the_data_of_each(
    tmp_homes: Callable[[str], Path],
) -> None:
    homes = {word: tmp_homes(word) for word in ("one", "hömé of two €")}
    with ExitStack() as both:
        running = {word: both.enter_context(bare(home)) for word, home in homes.items()}
        for word, servers in running.items():
            keep(servers, word)
    for word, home in homes.items():
        with bare(home) as again:
            assert kept(again) == (word, word)


async def test_a_postgres_that_is_killed_comes_back_by_itself_and_is_written_down(
    tmp_homes: Callable[[str], Path],
) -> None:
    home = tmp_homes("kept")
    url = await asyncio.to_thread(postgres.start, home)
    written = home / "run" / "postgres.json"
    try:
        async with keeping.kept(home), asyncio.timeout(60):
            while not written.exists():
                await asyncio.sleep(0.05)
            first = json.loads(written.read_text())
            assert (first["pid"], first["restarts"]) == (postgres.first_process(home), 0)
            os.kill(first["pid"], signal.SIGKILL)
            while (again := json.loads(written.read_text()))["restarts"] == 0:
                await asyncio.sleep(0.05)
            assert again["pid"] == postgres.first_process(home) != first["pid"]
            assert shown(url, *SYNCED) == ["on", "on"], "every commit is synced"
        assert not written.exists()
        assert postgres.first_process(home) == again["pid"], "who keeps it does not stop it"
    finally:
        postgres.stop(home)
    assert postgres.first_process(home) == 0


SYNCED = ("fsync", "synchronous_commit")
"""What makes a commit durable. Test servers alone go without the first (deploy/local/bare.py)."""


def shown(url: str, *settings: str) -> list[str]:
    """Settings of a server."""
    with psycopg.connect(url) as connection:
        rows = [connection.execute(f"show {name}".encode()).fetchone() for name in settings]
    return [str(row[0]) for row in rows if row]


def test_tests_meet_the_release_of_postgres_that_is_locked(servers: dict[str, str]) -> None:
    with psycopg.connect(servers["postgres"]) as connection:
        assert connection.info.server_version // 10_000 == 18


def test_kafka_makes_no_topic_by_accident(servers: dict[str, str], topic_prefix: str) -> None:
    mistyped = f"{topic_prefix}.typo"
    admin = AdminClient({"bootstrap.servers": servers["kafka"]})
    admin.list_topics(mistyped, timeout=WAIT_S)
    assert mistyped not in admin.list_topics(timeout=WAIT_S).topics


async def test_servers_that_are_named_are_not_started(tmp_path: Path) -> None:
    database = "postgresql://db.example/x"
    named = Settings(home=tmp_path, kafka_bootstrap="kafka.example:9092", postgres_url=SecretStr(database))
    found = await stack.servers(tmp_path, named)
    assert (found.kafka_bootstrap, found.postgres_url) == ("kafka.example:9092", database)
    assert found.embedded == []
    assert list(tmp_path.iterdir()) == []


def test_each_test_has_an_empty_database_of_its_own(database: str, servers: dict[str, str]) -> None:
    with psycopg.connect(database) as connection, psycopg.connect(servers["postgres"]) as admin:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert connection.info.dbname != admin.info.dbname
    assert tables == (0,)
