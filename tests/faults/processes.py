"""What is done to processes: killed, frozen, doubled, slowed, their clocks set off."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import ClassVar

import aiohttp

from deploy.local.programs import SERVICES
from tests.faults import points, turning
from tests.faults.faults import DOWN, MISSED, Fault
from tests.faults.theatre import until

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

BACK_MAX_S = 10.0
"""In which the supervisor starts a service again."""


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
        self.struck = self.theatre.signal(name, signal.SIGKILL)
        self.told += "" if self.struck else f" {DOWN}"
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
        self.struck = not points.disarm(self.theatre.folder, self.name) or died
        self.told = f"{self.name} {self.point}" + ("" if self.struck else f" {MISSED}")

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
        self.struck = self.theatre.signal(service, signal.SIGSTOP)
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


PROCESSES: tuple[type[Fault], ...] = (Kill, KillAtPoint, Freeze, TwoRelays, Churn, SlowConsumer, Skew)
"""What happens to processes."""
