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

from chassis.ownership import IDLE_TIMEOUT_MS
from deploy.local.programs import SERVICES
from tests.faults import points, turning
from tests.faults.faults import DOWN, MISSED, Fault
from tests.faults.sent import sent
from tests.faults.theatre import until

CONSUMING = ("scheduling", "billing", "notifications", "audit")
"""Services that read others' topics."""

WRITING = ("intake", "clinical", "scheduling", "billing", "notifications")
FIRING = ("scheduling", "billing", "notifications")

AT: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(points.CONSUMING, CONSUMING),
    **dict.fromkeys((*points.WRITING, *points.RELAYING, *points.SWAPPING), WRITING),
    **dict.fromkeys(points.FIRING, FIRING),
    **dict.fromkeys(points.EFFECTING, ("notifications", "billing")),
    **dict.fromkeys(points.ANSWERING, ("billing",)),
    **dict.fromkeys(points.KEYING, ("intake",)),
}
"""The services that come to each point under this load."""

BACK_MAX_S = 10.0
"""In which the supervisor starts a service again."""

FROZEN_S = (5.0, 60.0)
"""How long a process is frozen, at full scale."""

TAKEN_OVER_S = IDLE_TIMEOUT_MS / 1000 + 3.0
"""A process frozen this long has lost its locks, and another has had time to work in its place."""

ALONE = "(no second process)"
BOTH_MAX_S = 15.0
"""In which both of two relays send something, once both are there."""


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
    """SIGSTOP: a process stands still beyond its locks' idle time-out, and comes back as a zombie.

    Every other one, the first of a lane among them, has a second process beside it that takes over.
    """

    weight = 2

    async def strike(self) -> None:
        """What the second one relays meanwhile is told."""
        service, replica = self.in_turn(SERVICES), ""
        if self.second:
            replica = await self.theatre.join(service)
        seconds, before = self.length_s(bool(replica)), sent(self.theatre.folder, replica)
        self.struck = self.theatre.signal(service, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds if self.struck else 0)
        finally:
            self.theatre.signal(service, signal.SIGCONT)
        self.told = f"{service} for {seconds:.0f} s" if self.struck else f"{service} {DOWN}"
        if replica:
            relayed = sent(self.theatre.folder, replica) - before
            self.told += f" with a second process, which relayed {relayed} records meanwhile"
        elif self.second:
            self.told += f" {ALONE}"
        await asyncio.sleep(1)
        if replica:
            await self.theatre.leave(replica, killed=self.draw.random() < 0.5)

    @property
    def second(self) -> bool:
        """Whether a second process is to be there."""
        return self.turn % 2 == 0

    def length_s(self, second: bool) -> float:
        """How long it stands still: with a second process always longer than a frozen one's locks hold."""
        least, most = (each * self.scale for each in FROZEN_S)
        if second:
            least, most = max(least, TAKEN_OVER_S), max(most, 1.5 * TAKEN_OVER_S)
        return self.draw.uniform(least, most)


class TwoRelays(Fault):
    """A second process relays beside the leader, whoever holds the lock."""

    async def strike(self) -> None:
        """Without effect unless both had records acknowledged meanwhile."""
        service = self.in_turn(WRITING)
        name = await self.theatre.join(service, CARETRAIL_FAULTS_RELAY="unasked")
        if not name:
            self.told, self.struck = f"{service} {ALONE}", False
            return
        relays, folder = (service, name), self.theatre.folder
        before = [sent(folder, each) for each in relays]

        def since() -> list[int]:
            return [sent(folder, each) - old for each, old in zip(relays, before, strict=True)]

        await self.lasting(10, 20)
        self.struck = await until(lambda: all(since()), BOTH_MAX_S)
        ours, theirs = since()
        self.told = f"{service}: {ours} records of the one, {theirs} of the other"
        await self.theatre.leave(name, killed=True)


class Churn(Fault):
    """Further processes join and leave, one a second, while others of them are there."""

    async def strike(self) -> None:
        """Each stays until it answered, and a while; some are stopped, some killed."""
        service, passing = self.in_turn(SERVICES), list[asyncio.Task[bool]]()
        async with asyncio.TaskGroup() as together:
            for _ in range(2 + round(6 * self.scale)):
                stays, killed = 1 + 2 * self.draw.random(), self.draw.random() < 0.5
                passing.append(together.create_task(self._passing(service, stays, killed)))
                await asyncio.sleep(1)
        came = sum(task.result() for task in passing)
        self.told, self.struck = f"{service}, {came} of {len(passing)} answered", came > 0

    async def _passing(self, service: str, seconds: float, killed: bool) -> bool:
        """Whether it answered."""
        name = await self.theatre.join(service)
        if name:
            await asyncio.sleep(seconds)
            await self.theatre.leave(name, killed=killed)
        return bool(name)


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
