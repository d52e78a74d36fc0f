"""Real Kafka and PostgreSQL for the whole run, started once; each test gets names of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from chassis.config import Settings
from chassis.service import Service
from tests.homes import HOMES
from tests.running import Running, copied, running_services

SERVERS, TOLD = "CARETRAIL_TEST_SERVERS", "CARETRAIL_TEST_SERVERS_TOLD"
"""Name the addresses of servers that run, and where those are told that the run itself starts."""

STARTS_MAX_S = 300.0
"""How long those may take: a machine's first start fetches Kafka and teaches Java."""

# A zone that no code expects, of every process and of the server: whatever asks for it shows.
os.environ["TZ"] = "Asia/Kathmandu"
time.tzset()

# httpx looks for it at each request that a test sends, all along the path.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

# How fast a machine is fails no test.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")


def pytest_configure(config: pytest.Config) -> None:
    """The controller starts the servers, and workers collect tests meanwhile; a file tells the addresses."""
    if hasattr(config, "workerinput") or "not servers" in (config.option.markexpr or ""):
        return
    if SERVERS not in os.environ and not config.option.collectonly:
        home = Path(tempfile.mkdtemp(prefix="caretrail-test-", dir=HOMES))
        argv = [sys.executable, "-m", "deploy.local.bare", "--home", str(home)]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        telling = threading.Thread(target=_tell, args=(process, home / "told"))
        telling.start()
        os.environ[TOLD] = str(home / "told")
        config.stash[_SERVERS] = (process, telling, home)


_SERVERS = pytest.StashKey[tuple["subprocess.Popen[str]", threading.Thread, Path]]()


def _tell(process: subprocess.Popen[str], told: Path) -> None:
    """Write down what the servers print once they run; nothing where they ended before."""
    assert process.stdout
    written = told.with_suffix(".new")
    written.write_text(process.stdout.readline())
    written.replace(told)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controller stops what it started."""
    if _SERVERS in config.stash:
        process, telling, home = config.stash[_SERVERS]
        assert process.stdin
        process.stdin.close()
        telling.join()
        process.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> dict[str, str]:
    """The addresses of ``kafka`` and ``postgres`` (an administrator's)."""
    if SERVERS not in os.environ:
        told, until = Path(os.environ[TOLD]), time.monotonic() + STARTS_MAX_S
        while not told.exists() and time.monotonic() < until:
            time.sleep(0.05)
        if not told.exists() or not told.read_text():
            pytest.fail("the test servers did not start; see above", pytrace=False)
        os.environ[SERVERS] = told.read_text()
    found: dict[str, str] = json.loads(os.environ[SERVERS])
    return found


@pytest.fixture
def topic_prefix() -> str:
    """A prefix of topics that no other test uses."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def database(servers: dict[str, str]) -> Iterator[str]:
    """The address of a fresh database, dropped afterwards."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(servers["postgres"], autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        yield psycopg.conninfo.make_conninfo(servers["postgres"], dbname=name)
        admin.execute(f"drop database {name} with (force)".encode())


SWEPT_AT = 5
"""After so many tests what they left is dropped: before each drop PostgreSQL writes out all that it holds,
and does so once for those that come together."""


@pytest.fixture(scope="session")
def left(servers: dict[str, str]) -> Iterator[list[str]]:
    """Prefixes of what tests left on the servers."""
    found: list[str] = []
    yield found
    _sweep(servers, found)


def _sweep(servers: dict[str, str], prefixes: list[str]) -> None:
    """Drop databases, roles and topics of prefixes."""
    begins = tuple(prefixes)
    with psycopg.connect(servers["postgres"], autocommit=True) as admin:
        found = admin.execute("select datname from pg_database")
        names = [name for (name,) in found if name.startswith(begins)]
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            list(pool.map(partial(_drop, servers["postgres"]), names))
        for name in names:
            admin.execute(f"drop role if exists {name}".encode())
    broker = AdminClient({"bootstrap.servers": servers["kafka"]})
    if topics := [name for name in broker.list_topics(timeout=30).topics if name.startswith(begins)]:
        for gone in broker.delete_topics(topics, request_timeout=30).values():
            gone.result()
    prefixes.clear()


def _drop(postgres: str, name: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def settings(
    servers: dict[str, str], topic_prefix: str, tmp_path: Path, left: list[str]
) -> Iterator[Settings]:
    """Settings of a home, databases and topics of the test's own; what is on servers is dropped later.

    A broker that kept the topics of every test would need more memory than it has.
    """
    yield Settings(
        home=tmp_path,
        kafka_bootstrap=servers["kafka"],
        postgres_url=servers["postgres"],
        topic_prefix=topic_prefix,
        database_prefix=topic_prefix,
    )
    left.append(topic_prefix)
    if len(left) >= SWEPT_AT:
        _sweep(servers, left)


Run = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def running(settings: Settings) -> Run:
    """Runs services in this process on the real servers: ``async with running(intake) as run``."""

    @asynccontextmanager
    async def run(*services: Service, **changes: object) -> AsyncIterator[Running]:
        own = settings.model_copy(update=changes)
        await asyncio.to_thread(copied, own, services)
        async with running_services(services, own) as found:
            yield found

    return run
