"""Faults, thin to thick: what is done to processes, connections, servers, clocks and disks.

Each strikes once and mends what it broke before it returns, so that the run goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import ClassVar, Protocol

import aiohttp

from deploy.local.programs import SERVICES
from tests.faults import points, turning
from tests.faults.theatre import Theatre, until

CONSUMING = ("scheduling", "billing", "notifications", "audit")
"""Services that read others' topics."""

WRITING = ("intake", "clinical", "scheduling", "billing", "notifications")
FIRING = ("scheduling", "billing", "notifications")

AT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(points.CONSUMING, CONSUMING),
    **dict.fromkeys((*points.WRITING, *points.RELAYING, *points.SWAPPING), WRITING),
    **dict.fromkeys(points.FIRING, FIRING),
    **dict.fromkeys(points.EFFECTING, ("notifications",)),
}
"""The services that come to each point under this load."""

DOWN, MISSED = "(was down)", "(not reached)"
"""What is told of a kill that killed nobody."""

BACK_MAX_S = 10.0
"""In which the supervisor starts a service again."""


class Note(Protocol):
    """Takes a fault that is over, and when it began by the monotonic clock."""

    def __call__(self, fault: Fault, began: float) -> None:
        """Put it down."""


class Hurt(Protocol):
    """What is done in a round, for so many seconds."""

    async def __call__(self, stage: Theatre, note: Note, seconds: float, seed: int) -> None:
        """Do it, and end."""


async def lane(
    stage: Theatre,
    note: Note,
    draw: Random,
    end: float,
    kinds: dict[type[Fault], float],
    scale: float = 1.0,
    made: Callable[[Fault], None] = lambda _: None,
) -> None:
    """Faults of these kinds, by their weights, one after the other; ``made`` completes each."""
    while True:
        await asyncio.sleep(draw.uniform(0.5, 3))
        if time.monotonic() >= end:
            return
        [kind] = draw.choices(list(kinds), list(kinds.values()))
        fault, began = kind(stage, Random(draw.random()), scale), time.monotonic()
        made(fault)
        await fault.strike()
        note(fault, began)


@dataclass
class Fault:
    """One kind of harm. ``scale`` shortens it for short runs; ``told`` says what was done."""

    theatre: Theatre
    draw: Random
    scale: float = 1.0
    told: str = ""
    weight: ClassVar[float] = 1.0

    async def strike(self) -> None:
        """Do it, and mend it."""
        raise NotImplementedError

    async def lasting(self, least: float, most: float) -> None:
        """Let it last: seconds at full scale."""
        await asyncio.sleep(self.draw.uniform(least, most) * self.scale)


@dataclass
class Kill(Fault):
    """Kill -9 of a process at any instant: a service's, the payer's, the mailbox's; drawn where not given."""

    name: str = ""
    weight: ClassVar[float] = 3

    async def strike(self) -> None:
        """It comes again by itself."""
        self.told = self.name or self.draw.choice((*SERVICES, "payer", "mailbox"))
        await self.lasting(0, 1)
        name, pid = self.told, self.theatre.pid(self.told)
        if not self.theatre.signal(name, signal.SIGKILL):
            self.told += f" {DOWN}"
        await until(lambda: self.theatre.pid(name) not in (0, pid), BACK_MAX_S)


@dataclass
class KillAtPoint(Fault):
    """A service dies exactly before or after a step that leaves the process.

    Service and point are drawn where not given; ``waits_s`` is how long it may take to come there.
    """

    name: str = ""
    point: str = ""
    waits_s: float = 6.0
    weight: ClassVar[float] = 6

    async def strike(self) -> None:
        """Arm, wait until it died, or take the arm back."""
        self.point = self.point or self.draw.choice(points.ALL)
        self.name = self.name or self.draw.choice(AT[self.point])
        armed, swaps = self.theatre.folder / f"arm-{self.name}", self.point in points.SWAPPING
        points.arm(self.theatre.folder, self.name, self.point, 1 if swaps else self.draw.randrange(1, 4))
        if swaps:
            await self._rebuild()
        died = await until(lambda: not armed.exists(), self.waits_s)
        # It may come to the point in this very moment: only the arm that could be taken back was not reached.
        died = not points.disarm(self.theatre.folder, self.name) or died
        self.told = f"{self.name} {self.point}" + ("" if died else f" {MISSED}")

    async def _rebuild(self) -> None:
        """Have a read model of the service folded anew; where it is away, nothing comes of it."""
        with suppress(aiohttp.ClientError, TimeoutError):
            await rebuild(self.theatre.urls(self.name)[0], self.draw)


async def rebuild(url: str, draw: Random) -> None:
    """Ask a service to rebuild one of its read models; one that is under way may go on."""
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        async with session.get("/internal/projections") as response:
            names = [each["name"] for each in await response.json()] if response.ok else []
        if names:
            asked = {"action": "rebuild"}
            async with session.post(f"/internal/projections/{draw.choice(names)}", json=asked) as response:
                await response.read()


class Freeze(Fault):
    """SIGSTOP: a process stands still beyond its locks' idle time-out, and comes back as a zombie."""

    weight = 2

    async def strike(self) -> None:
        """A second process may take over meanwhile."""
        self.told = self.draw.choice(SERVICES)
        replica = await self.theatre.join(self.told) if self.draw.random() < 0.5 else ""
        if replica:
            self.told += " with a second process"
            await asyncio.sleep(3)
        service = self.told.split()[0]
        self.theatre.signal(service, signal.SIGSTOP)
        try:
            await self.lasting(5, 60)
        finally:
            self.theatre.signal(service, signal.SIGCONT)
        await asyncio.sleep(1)
        if replica:
            await self.theatre.leave(replica, killed=self.draw.random() < 0.5)


class TwoRelays(Fault):
    """A second process relays beside the leader, whoever holds the lock."""

    async def strike(self) -> None:
        """Both send everything."""
        self.told = self.draw.choice(SERVICES)
        name = await self.theatre.join(self.told, CARETRAIL_FAULTS_RELAY="unasked")
        await self.lasting(10, 20)
        await self.theatre.leave(name, killed=True)


class Churn(Fault):
    """Further processes join and leave, one a second, while others of them are there."""

    async def strike(self) -> None:
        """Some are stopped, some killed."""
        self.told = self.draw.choice(SERVICES)
        async with asyncio.TaskGroup() as together:
            for _ in range(2 + round(6 * self.scale)):
                together.create_task(self._passing(1 + 2 * self.draw.random(), self.draw.random() < 0.5))
                await asyncio.sleep(1)

    async def _passing(self, seconds: float, killed: bool) -> None:
        name = await self.theatre.join(self.told)
        await asyncio.sleep(seconds)
        await self.theatre.leave(name, killed=killed)


class KillPostgres(Fault):
    """The whole cluster ends at once, for every service, and is started again."""

    async def strike(self) -> None:
        """Immediate shutdown, or kill -9 of the first process."""
        number = self.draw.choice((signal.SIGQUIT, signal.SIGKILL))
        pid = self.theatre.postmaster()
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        await until(lambda: not _is_there(pid), 20)
        await self.lasting(0, 6)
        took = await self.theatre.restart_postgres()
        self.told = f"{number.name}, back in {took:.1f} s"


def _is_there(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


class CutAfterCommit(Fault):
    """The answer to a COMMIT is lost: it is carried out, and the service does not know."""

    weight = 4

    async def strike(self) -> None:
        """The next few commits that pass."""
        count = self.draw.randrange(1, 6)
        self.theatre.database.commits_to_lose = count
        await until(lambda: self.theatre.database.commits_to_lose == 0, 5)
        self.told = f"{count - self.theatre.database.commits_to_lose} commits"
        self.theatre.database.commits_to_lose = 0


class CutDatabase(Fault):
    """Every connection to the databases ends at once; for a while none is taken."""

    weight = 2

    async def strike(self) -> None:
        """Services connect again."""
        self.theatre.database.refuses = self.draw.random() < 0.5
        self.told = f"{self.theatre.database.cut()} sides"
        await self.lasting(0, 8)
        self.theatre.database.refuses = False


class CutBroker(Fault):
    """The same for Kafka."""

    weight = 2

    async def strike(self) -> None:
        """Clients connect again."""
        self.theatre.broker.refuses = self.draw.random() < 0.5
        self.told = f"{self.theatre.broker.cut()} sides"
        await self.lasting(0, 8)
        self.theatre.broker.refuses = False


class KillBroker(Fault):
    """Kill -9 of the Kafka broker; it comes again by itself."""

    async def strike(self) -> None:
        """It starts from its log."""
        self.theatre.signal("kafka", signal.SIGKILL)
        await until(lambda: self.theatre.pid("kafka") != 0, 15)
        await self.lasting(2, 6)


class SlowNetwork(Fault):
    """Each packet to a server and back takes longer."""

    async def strike(self) -> None:
        """For a while."""
        proxy = self.draw.choice((self.theatre.database, self.theatre.broker))
        proxy.delay_s = self.draw.choice((0.01, 0.05, 0.2))
        self.told = f"{'database' if proxy is self.theatre.database else 'broker'} {proxy.delay_s} s"
        await self.lasting(4, 15)
        proxy.delay_s = 0.0


class SlowConsumer(Fault):
    """A service rests before each batch that it applies."""

    async def strike(self) -> None:
        """For a while."""
        self.told = self.draw.choice(CONSUMING)
        points.slow(self.theatre.folder, self.told, self.draw.uniform(0.2, 2))
        await self.lasting(5, 20)
        points.slow(self.theatre.folder, self.told, 0)


class Skew(Fault):
    """One process's clock is an hour off."""

    async def strike(self) -> None:
        """Ahead or behind, for a while."""
        name, hours = self.draw.choice(SERVICES), self.draw.choice((-1, 1))
        self.told = f"{name} {hours:+d} h"
        turning.skew(self.theatre.folder, name, timedelta(hours=hours))
        await self.lasting(5, 20)
        turning.skew(self.theatre.folder, name, timedelta())


@dataclass
class DiskFull(Fault):
    """The disk of PostgreSQL or of Kafka is full for a while; only where they have small ones."""

    ballasts: list[Path] = field(default_factory=list)
    weight = 0.7

    async def strike(self) -> None:
        """Fill it, and make room again."""
        if not self.theatre.disks:
            self.told = "no small disk here"
            return
        self.told = self.draw.choice(self.theatre.disks)
        ballast = self.theatre.home / self.told / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await self.lasting(3, 8)
        ballast.unlink()
        if self.told == "postgres":
            took = await self.theatre.restart_postgres()
            self.told += f", answers after {took:.1f} s"


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65_536)


PROCESSES: tuple[type[Fault], ...] = (Kill, KillAtPoint, Freeze, TwoRelays, Churn, SlowConsumer, Skew)
"""What happens to processes."""

SURROUNDINGS: tuple[type[Fault], ...] = (
    KillPostgres,
    CutAfterCommit,
    CutDatabase,
    CutBroker,
    KillBroker,
    SlowNetwork,
    DiskFull,
)
"""What happens around them."""
