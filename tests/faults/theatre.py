"""The stack that is hurt: real servers behind proxies, and every service's process within reach."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from chassis.clock import SharedClock
from chassis.config import Settings
from deploy.local import kafka, postgres
from deploy.local.ports import free_port
from deploy.local.programs import SERVICES, migrations, outsiders, services
from deploy.local.stack import claimed
from deploy.local.supervisor import Child, Program, Supervisor, is_ready
from deploy.migration import migrate
from deploy.topics import make_topics
from tests.faults import turning
from tests.faults.proxy import Proxy

DISK_BYTES = {"postgres": 700 << 20, "kafka": 500 << 20}
"""Sizes of the small file systems that are filled up, where the machine allows them."""

PREFIX = "caretrail"
NO_DESK = "clinical-(desk@example.org"
"""Settings take it, and it is no address that a mail can have: notices of missing notes fail for good."""

BACK_MAX_S = 60.0
JOINS_MAX_S = 40.0
"""In which a further process answers; where it dies meanwhile the supervisor starts it again."""


@dataclass
class Theatre:
    """A running stack: where it is, what stands before it, and how fast its clock turns."""

    home: Path
    rate: float
    supervisor: Supervisor
    clock: turning.Turning
    admin: str = ""
    bootstrap: str = ""
    """Where the services reach Kafka, and ``direct`` where lookers-on do."""

    direct: str = ""
    database: Proxy = field(default_factory=lambda: Proxy(""))
    broker: Proxy = field(default_factory=lambda: Proxy(""))
    ports: dict[str, int] = field(default_factory=dict)
    programs: dict[str, Program] = field(default_factory=dict)
    replicas: dict[str, Child] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    """Of the further processes those that answered."""

    nodes: tuple[kafka.Node, ...] = ()
    """The brokers, where there are several."""

    injected: list[dict[str, Any]] = field(default_factory=list)
    """Messages that no service wrote, as they are noted."""

    disks: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where clock, arms and the like of the processes lie."""
        return self.home / "faults"

    def urls(self, service: str) -> list[str]:
        """Where a service answers: its process first, then replicas that are up."""
        ports = [self.ports[service]]
        ports += [
            child.program.port or 0
            for name, child in self.replicas.items()
            if name in self.joined and name.rpartition("-")[0] == service
        ]
        return [f"http://127.0.0.1:{port}" for port in ports]

    def store(self, name: str) -> str:
        """An administrator's address of a service's database, past the proxy."""
        return make_conninfo(self.admin, dbname=f"{PREFIX}_{name}")

    def child(self, name: str) -> Child:
        """The child of a name."""
        return next(child for child in self.supervisor.children if child.program.name == name)

    def pid(self, name: str) -> int:
        """The process of a service, a replica or the broker; 0 between a death and the next start."""
        child = self.replicas.get(name) or self.child(name)
        return child.process.pid if child.process and child.process.returncode is None else 0

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a process that we started; whether one was there."""
        pid = self.pid(name)
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, number)
                return True
        return False

    async def join(self, service: str, within_s: float = JOINS_MAX_S, **env: str) -> str:
        """Start a further process of a service; its name once it answers, none where it does not in time."""
        name = next(name for name in (f"{service}-{each}" for each in count(2)) if name not in self.replicas)
        program, port = self.programs[service], free_port()
        own = {**program.env, **env, "CARETRAIL_PORT": str(port), "CARETRAIL_FAULTS_NAME": name}
        program = replace(program, name=name, env=own, port=port, ready="")
        if "PYTHONPATH" in env:
            program = replace(program, forked=False)  # a fork has the code that was imported here
        self.replicas[name] = Child(program, self.home, self.supervisor.forker)
        await self.replicas[name].start()
        if not await _lives(port, within_s):
            await self.leave(name, killed=True)
            return ""
        self.joined.add(name)
        return name

    async def leave(self, name: str, *, killed: bool) -> None:
        """Stop a further process, or kill it."""
        if killed:
            self.signal(name, signal.SIGKILL)
        self.joined.discard(name)
        await self.replicas[name].stop()
        del self.replicas[name]

    async def restart_postgres(self) -> float:
        """Start the cluster again; how long it took. Raises TimeoutError."""
        began = time.monotonic()
        async with asyncio.timeout(BACK_MAX_S):
            while not await asyncio.to_thread(_started, self.home, self.admin):
                await asyncio.sleep(0.2)
        return time.monotonic() - began

    def postmaster(self) -> int:
        """The cluster's first process; 0 where there is none."""
        path = self.home / "postgres" / "postmaster.pid"
        return int(path.read_text().split()[0]) if path.exists() else 0


def _started(home: Path, admin: str) -> bool:
    """Start the cluster and see that it answers."""
    with suppress(Exception):
        postgres._server(home).start()
        with psycopg.connect(admin, connect_timeout=3) as connection:
            return connection.execute("select 1").fetchone() is not None
    return False


@asynccontextmanager
async def theatre(
    home: Path, base: datetime, rate: float, *, disks: bool = False, bug: str = "", brokers: int = 1
) -> AsyncIterator[Theatre]:
    """A stack of its own, up; everything of it is stopped at the end. Several brokers have no proxy."""
    home.mkdir(parents=True, exist_ok=True)
    found = Theatre(home, rate, Supervisor(home), turning.begin(home / "faults", base, 1.0))
    async with AsyncExitStack() as ending:
        ending.enter_context(claimed(home.resolve()))  # else operators' commands take it for killed
        if disks:
            found.disks = [name for name in DISK_BYTES if _mounted(home / name, DISK_BYTES[name], ending)]
        ending.callback(postgres.stop, home)
        await _servers(found, ending, brokers)
        ending.push_async_callback(found.supervisor.stop)
        ending.push_async_callback(_leave_all, found)
        await _services(found, bug)
        found.clock.turn_at(rate)
        ticking = asyncio.create_task(_tick(found))
        ending.callback(ticking.cancel)
        yield found


def _mounted(folder: Path, size: int, ending: AsyncExitStack) -> bool:
    """A small file system of its own at a folder, until the end; False where that is not allowed."""
    folder.mkdir(exist_ok=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size}", "caretrail-faults", str(folder))
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        return False
    ending.callback(subprocess.run, ("umount", "-l", str(folder)), capture_output=True)
    return True


async def _servers(found: Theatre, ending: AsyncExitStack, brokers: int) -> None:
    found.supervisor.forker.begin()  # it imports what services need while the servers start
    found.admin = await asyncio.to_thread(postgres.start, found.home)
    place = conninfo_to_dict(found.admin)
    found.database = Proxy(f"{place['host']}/.s.PGSQL.{place.get('port', 5432)}")
    await found.database.start()
    ending.push_async_callback(found.database.stop)
    programs = await (_broker(found, ending) if brokers == 1 else _brokers(found, brokers))
    ending.push_async_callback(found.supervisor.stop)
    await found.supervisor.start(*programs)


async def _broker(found: Theatre, ending: AsyncExitStack) -> list[Program]:
    """One broker, behind a proxy."""
    port, direct, controller = _ports(3)
    found.broker = Proxy(("127.0.0.1", port))
    await found.broker.start()
    ending.push_async_callback(found.broker.stop)
    program = await asyncio.to_thread(kafka.program, found.home, port, controller)
    _listen_twice(found.home / "kafka" / "server.properties", port, found.broker.port, direct)
    found.direct, found.bootstrap = f"127.0.0.1:{direct}", f"127.0.0.1:{found.broker.port}"
    return [program]


async def _brokers(found: Theatre, count: int) -> list[Program]:
    """Several brokers of one cluster."""
    ports = _ports(2 * count)
    places = zip(ports[:count], ports[count:], strict=True)
    found.nodes = tuple(kafka.Node(number, *place) for number, place in enumerate(places, 1))
    found.direct = found.bootstrap = ",".join(f"127.0.0.1:{node.port}" for node in found.nodes)
    return await asyncio.to_thread(kafka.cluster, found.home, found.nodes)


def _ports(count: int) -> list[int]:
    """Free ports, no two the same."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _listen_twice(path: Path, port: int, proxy: int, direct: int) -> None:
    """The services reach the broker through the proxy, who looks on reaches it past it."""
    text = path.read_text()
    plain = f"PLAINTEXT://127.0.0.1:{port}"
    text = text.replace(f"listeners={plain},", f"listeners={plain},DIRECT://127.0.0.1:{direct},")
    advertised = f"PLAINTEXT://127.0.0.1:{proxy},DIRECT://127.0.0.1:{direct}"
    text = text.replace(f"advertised.listeners={plain}", f"advertised.listeners={advertised}")
    text = text.replace("PLAINTEXT:PLAINTEXT", "PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT")
    path.write_text(text + "inter.broker.listener.name=DIRECT\n")


async def _services(found: Theatre, bug: str) -> None:
    settings = Settings(home=found.home, postgres_url=SecretStr(found.admin), kafka_bootstrap=found.direct)
    addresses = await asyncio.to_thread(migrate, settings, migrations())
    await asyncio.to_thread(_topics, found)
    names = (*SERVICES, "mailbox")
    found.ports = dict(zip(names, _ports(len(names)), strict=True))
    shared = {
        "CARETRAIL_HOME": str(found.home),
        "CARETRAIL_KAFKA_BOOTSTRAP": found.bootstrap,
        "CARETRAIL_POSTGRES_URL": "",
        "CARETRAIL_FAULTS_DIR": str(found.folder),
        "CARETRAIL_FAULTS_BUG": bug,
        "CARETRAIL_CLINICAL_DESK": NO_DESK,
        **{f"CARETRAIL_{name.upper()}_DATABASE_URL": _past(url, found) for name, url in addresses.items()},
    }
    SharedClock(found.home / "clock", create=found.clock.now())
    outside = outsiders(found.home, {"CARETRAIL_CLOCK_FILE": str(found.home / "clock")}, found.ports, seed=1)
    programs = [_wrapped(program) for program in services(found.home, shared, found.ports)]
    found.programs = {program.name: program for program in programs}
    await found.supervisor.start(*outside, *programs)


def _topics(found: Theatre) -> None:
    """Topics, with a copy at each broker, as an administrator says it."""
    with patch.dict(os.environ, {"CARETRAIL_TOPIC_REPLICAS": str(max(len(found.nodes), 1))}):
        make_topics(found.direct, SERVICES, PREFIX)


def _past(url: str, found: Theatre) -> str:
    """A service's address of its database, through the proxy."""
    return make_conninfo(
        url, host="127.0.0.1", port=found.database.port, sslmode="disable", gssencmode="disable"
    )


def _wrapped(program: Program) -> Program:
    """The same process with its failpoints."""
    argv = (sys.executable, "-m", "tests.faults.wrapped", *program.argv[3:])
    return replace(program, argv=argv, env={**program.env, "CARETRAIL_FAULTS_NAME": program.name})


async def _leave_all(found: Theatre) -> None:
    for name in list(found.replicas):
        found.signal(name, signal.SIGCONT)
        await found.leave(name, killed=True)
    for program in found.programs:
        found.signal(program, signal.SIGCONT)


async def _tick(found: Theatre) -> None:
    """The payer goes by a clock in a file: it shows the run's time."""
    shown = SharedClock(found.home / "clock")
    while True:
        shown.move(found.clock.now())
        await asyncio.sleep(0.1)


def progress_of(found: Theatre, name: str) -> Mapping[str, Any]:
    """What the supervisor wrote of a process."""
    return dict(json.loads((found.home / "run" / f"{name}.json").read_text()))


async def _lives(port: int, within_s: float) -> bool:
    """Wait until a further process answers; whether it does."""
    end = time.monotonic() + within_s
    while not await is_ready(f"http://127.0.0.1:{port}/health/live"):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.1)
    return True


async def answers(found: Theatre, service: str, seconds: float) -> bool:
    """Wait until a service, or a second process of one, takes connections; whether it does."""
    end, second = time.monotonic() + seconds, found.replicas.get(service)
    port = second.program.port if second else found.ports[service]
    while not await is_ready(f"tcp://127.0.0.1:{port}"):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.1)
    return True


async def until(condition: Callable[[], bool], seconds: float, step: float = 0.05) -> bool:
    """Wait for a condition; whether it came in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(step)
    return True
