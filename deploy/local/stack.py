"""The stack of a home: servers, databases, services, payer and mailbox, up and down together."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from chassis.clock import SharedClock
from chassis.config import Settings
from deploy.local import kafka, postgres
from deploy.local.keeping import kept
from deploy.local.memory import Peak
from deploy.local.ports import free_port
from deploy.local.programs import SERVICES, migrations, outsiders, services
from deploy.local.supervisor import Program, Supervisor
from deploy.migration import migrate
from deploy.topics import make_topics, see

PACE = {"CARETRAIL_POSTING_EVERY_S": "1800"}
"""Settings that keep the instants of a simulated clock few: messages are posted together each half hour."""


CLOSED = ("run", "logs", "payer", "mailbox", "kafka")
"""Folders of a home that no other user may enter; PostgreSQL, another user where we are root, has its own."""


class AlreadyUp(Exception):
    """A stack of this home runs already."""


@dataclass
class Servers:
    """Where Kafka and PostgreSQL are, embedded or external."""

    kafka_bootstrap: str
    postgres_url: str
    embedded: list[Program]


@dataclass
class Stack:
    """A running stack."""

    home: Path
    servers: Servers
    urls: dict[str, str]
    supervisor: Supervisor
    peak: Peak
    clock: SharedClock | None


async def servers(home: Path, settings: Settings, tuned: Mapping[str, str] = postgres.SETTINGS) -> Servers:
    """Kafka and PostgreSQL of a home, or those that the settings name. PostgreSQL runs on return."""
    broker = asyncio.create_task(asyncio.to_thread(_broker, home, settings))
    database = asyncio.create_task(asyncio.to_thread(_database, home, settings, tuned))
    try:
        await asyncio.wait((broker, database))
    except asyncio.CancelledError:
        # Threads go on: once they are done, what they started is there to be stopped.
        await asyncio.gather(broker, database, return_exceptions=True)
        raise
    embedded, url = broker.result(), database.result()
    bootstrap = settings.kafka_bootstrap or f"127.0.0.1:{embedded[0].port}"
    return Servers(bootstrap, url, embedded)


def _broker(home: Path, settings: Settings) -> list[Program]:
    return [] if settings.kafka_bootstrap else [kafka.program(home, free_port(), free_port())]


def _database(home: Path, settings: Settings, tuned: Mapping[str, str]) -> str:
    if settings.postgres_url:
        return settings.postgres_url.get_secret_value()
    return postgres.start(home, tuned)


@asynccontextmanager
async def up(
    settings: Settings, *, clock: SharedClock | None = None, seed: int = 0, apart: Collection[str] = ()
) -> AsyncIterator[Stack]:
    """Start everything; stop it at the end of the block. Raises AlreadyUp, NotReady, KafkaException.

    A named broker that does not answer is told before anything is made.

    The services named in ``apart`` run as a process for each role.
    """
    if settings.kafka_bootstrap:
        await asyncio.to_thread(see, settings.kafka_bootstrap)
    home = settings.home.resolve()
    with claimed(home):
        async with _up(home, settings, clock, seed, apart) as found:
            yield found


@asynccontextmanager
async def _up(
    home: Path, settings: Settings, clock: SharedClock | None, seed: int, apart: Collection[str]
) -> AsyncIterator[Stack]:
    supervisor, peak = Supervisor(home), Peak()
    peak.roots = [os.getpid()]
    # Only a demonstration tells of its memory, and sampling takes some percent of a processor.
    sampling = asyncio.create_task(peak.run()) if clock else None
    try:
        found, urls = await _start(home, settings, supervisor, clock, seed, apart)
        peak.roots += _postmaster(home)
        async with nullcontext() if settings.postgres_url else kept(home):
            yield Stack(home, found, urls, supervisor, peak, clock)
    finally:
        if sampling:
            sampling.cancel()
        await supervisor.stop()
        if not settings.postgres_url:
            await asyncio.to_thread(postgres.stop, home)
        (home / "run" / "stack.json").unlink(missing_ok=True)


async def _start(
    home: Path,
    settings: Settings,
    supervisor: Supervisor,
    clock: SharedClock | None,
    seed: int,
    apart: Collection[str],
) -> tuple[Servers, dict[str, str]]:
    supervisor.forker.begin()
    found = await servers(home, settings)
    starting = asyncio.create_task(supervisor.start(*found.embedded))
    known = settings.model_copy(update={"home": home, "postgres_url": SecretStr(found.postgres_url)})
    await asyncio.to_thread(migrate, known, migrations())
    await starting
    await asyncio.to_thread(make_topics, found.kafka_bootstrap, SERVICES, settings.topic_prefix)
    ports = {name: free_port() for name in (*SERVICES, "mailbox")}
    shared = {
        "CARETRAIL_HOME": str(home),
        "CARETRAIL_KAFKA_BOOTSTRAP": found.kafka_bootstrap,
        "CARETRAIL_POSTGRES_URL": "",
        "CARETRAIL_TOPIC_PREFIX": settings.topic_prefix,
        "CARETRAIL_DATABASE_PREFIX": settings.database_prefix,
    }
    if clock is not None:
        shared["CARETRAIL_CLOCK_FILE"] = str(home / "clock")
        shared |= {name: os.environ.get(name, value) for name, value in PACE.items()}
    await supervisor.start(*outsiders(home, shared, ports, seed), *services(home, shared, ports, apart))
    urls = {name: f"http://127.0.0.1:{ports[name]}" for name in SERVICES}
    _write(home, found, urls)
    return found, urls


@contextmanager
def claimed(home: Path) -> Iterator[None]:
    """Hold a home from the first step of a start to the last of a stop; the lock names the holder.

    Raises AlreadyUp.
    """
    path = home / "run" / "lock"
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    for folder in (home / name for name in CLOSED):
        if folder.exists():  # an earlier version left it open
            folder.chmod(0o700)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyUp(f"a stack of {home} runs already: stop it with `caretrail down`") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _forget(home)
        yield


def _forget(home: Path) -> None:
    """Remove what a supervisor that was killed wrote of its processes: they died with it."""
    for path in (home / "run").glob("*.json"):
        path.unlink()


def is_held(home: Path) -> bool:
    """Whether a stack of this home runs, starts or stops: it holds a lock all the while."""
    path = home / "run" / "lock"
    if not path.exists():
        return False
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _write(home: Path, found: Servers, urls: dict[str, str]) -> None:
    content = {
        "pid": os.getpid(),
        "kafka_bootstrap": found.kafka_bootstrap,
        "postgres_url": found.postgres_url,
        "services": urls,
        "mailbox": str(home / "mailbox"),
    }
    path = home / "run" / "stack.json"
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=1)
    temporary.replace(path)


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stop(home: Path) -> bool:
    """Ask the stack of a home to stop, also one that starts; whether one was there.

    What a killed one left behind is stopped here.
    """
    if is_held(home):
        os.kill(int((home / "run" / "lock").read_text()), signal.SIGTERM)
        return True
    left = was_left(home)
    postgres.stop(home)
    (home / "run" / "stack.json").unlink(missing_ok=True)
    _forget(home)
    return left


def was_left(home: Path) -> bool:
    """Whether a stack of this home was killed and left something, where none is held."""
    return (home / "run" / "stack.json").exists() or bool(_postmaster(home))


def _postmaster(home: Path) -> list[int]:
    path = home / "postgres" / "postmaster.pid"
    return [int(path.read_text().split()[0])] if path.exists() else []
