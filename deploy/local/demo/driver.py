"""The driver: moves simulated time for all processes, sends commands, and waits until all is quiet.

An instant ends when every store head is relayed and consumed, seen twice unchanged, with no mail, payer
work or due timer left. Services tell of each change, so that few looks are needed.
Commands carry keys derived from the seed, so that a repeat is no new command.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from chassis.clock import SharedClock
from chassis.waking import waited
from deploy.local import progress as rest

QUIET_MAX_S = 120.0
"""How long an instant may take before the driver gives up."""

LOOK_S = 0.02
"""After this long without a sign of movement it is looked anew, at the payer's folders too."""

RETRY_S = 0.1

CONNECTIONS_MAX = 8
"""Connections to a service at most; one of them tells of its progress."""

ANSWER_MAX_S = 30.0

AWAY = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
"""What is raised where a service is away."""


class NotQuiet(Exception):
    """An instant did not come to its end in time."""


class Refused(Exception):
    """A service refused what the story wanted."""


class Driver:
    """Plays commands at instants. ``actor`` and ``purpose`` go with each of them.

    ``who`` are headers that every request carries: the credential in force, where there is one.
    """

    def __init__(
        self,
        urls: dict[str, str],
        clock: SharedClock,
        payer: Path,
        name: str,
        who: Mapping[str, str] | None = None,
    ) -> None:
        self._clock, self._payer, self._name = clock, payer, name
        timeout = aiohttp.ClientTimeout(total=ANSWER_MAX_S)
        self._clients = {
            service: aiohttp.ClientSession(
                url, timeout=timeout, headers=who, connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
            )
            for service, url in urls.items()
        }
        self.interruptions: set[str] = set()
        self.instants = 0
        self.commands = 0
        self._latest: dict[str, Any] = {}
        self._moved = asyncio.Event()
        self._rested: dict[str, Any] | None = None
        self._following: list[asyncio.Task[None]] = []
        self.each_instant: list[Callable[[datetime], None]] = []

    async def __aenter__(self) -> Driver:
        self._following = [asyncio.create_task(self._follow(name)) for name in self._clients]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self._clock.now()

    async def until(self, at: datetime) -> None:
        """Let time pass: stop at each timer that comes due on the way, and at ``at``."""
        while (first := min(_dues(await self.quiet()).values(), default=at)) < at:
            await self._move(max(first, self.now))
        await self._move(at)

    async def _move(self, to: datetime) -> None:
        """Move the clock; who has timers due then is told so. Where nobody has, all stays at rest."""
        due = [name for name, at in _dues(await self.quiet()).items() if at <= to]
        self._clock.move(to)
        self.instants += 1
        for tell in self.each_instant:
            tell(to)
        if due:
            self._rested = None
            await asyncio.gather(*map(self._wake, due))
            await self.quiet()

    async def _wake(self, name: str) -> None:
        """Have a service look for due timers; what is not fired yet is waited for."""
        before = self._latest.get(name)
        found = await self.get(name, "/internal/progress")
        if found["due"] and self._latest.get(name) is before:
            self._latest[name] = found

    async def post(
        self, service: str, path: str, body: Any = None, *, key: str, role: str = "coordinator"
    ) -> Any:
        """Send a command; a service that is away is asked again. Raises Refused."""
        headers = {
            "Caretrail-Actor": f"demo-{role};{role}",
            "Caretrail-Purpose": "HPAYMT" if role == "biller" else "TREAT",
            "Idempotency-Key": f"{self._name}:{key}",
        }
        self._rested = None
        while True:
            try:
                async with self._clients[service].post(path, json=body, headers=headers) as response:
                    if response.status != 503:
                        self.commands += 1
                        if response.ok:
                            return await response.json()
                        said = (await response.text())[:400]
                        raise Refused(f"{service} {path}: {response.status} {said}")
            except AWAY as error:
                self.interruptions.add(f"{service}: {type(error).__name__}")
            await asyncio.sleep(RETRY_S)

    async def get(self, service: str, path: str) -> Any:
        """Ask a service; one that is away is asked again."""
        headers = {"Caretrail-Actor": "demo-driver;driver", "Caretrail-Purpose": "HOPERAT"}
        while True:
            try:
                async with self._clients[service].get(path, headers=headers) as response:
                    if response.status != 503:
                        response.raise_for_status()
                        return await response.json()
            except AWAY as error:
                self.interruptions.add(f"{service}: {type(error).__name__}")
            await asyncio.sleep(RETRY_S)

    async def all(self, service: str, path: str) -> list[Any]:
        """Every item of a paged list."""
        joint, after, found = "&" if "?" in path else "?", 0, list[Any]()
        while True:
            page = await self.get(service, f"{path}{joint}limit=500&after={after}")
            found += page["items"]
            if page["next"] is None:
                return found
            after = page["next"]

    async def quiet(self) -> dict[str, Any]:
        """Wait for the end of the instant and give each service's progress then. Raises NotQuiet."""
        try:
            async with asyncio.timeout(QUIET_MAX_S):
                while self._rested is None:
                    await self._look()
        except TimeoutError:
            raise NotQuiet(f"{self.now.isoformat()}: {waiting(await self.progress())}") from None
        return self._rested

    async def _look(self) -> None:
        """Where all seems quiet, ask everybody once more; else wait for something to move."""
        self._moved.clear()
        before = dict(self._latest)
        if len(before) == len(self._clients) and not waiting(before) and not self._at_payer():
            now = await self.progress()
            if now == before and not self._at_payer():
                self._rested = now
                return
        await waited(self._moved, LOOK_S)

    async def progress(self) -> dict[str, Any]:
        """How far each service is."""
        names = list(self._clients)
        answers = await asyncio.gather(*(self.get(name, "/internal/progress") for name in names))
        return dict(zip(names, answers, strict=True))

    async def _follow(self, name: str) -> None:
        """Hear of each change of a service's progress."""
        client, path = self._clients[name], "/internal/progress/stream"
        while True:
            try:
                async with client.get(path, timeout=aiohttp.ClientTimeout()) as response:
                    async for line in response.content:
                        self._latest[name] = json.loads(line)
                        self._moved.set()
            except AWAY as error:
                self.interruptions.add(f"{name}: {type(error).__name__}")
            await asyncio.sleep(RETRY_S)

    def _at_payer(self) -> bool:
        """Whether files wait at the payer's door or at ours."""
        folders = (self._payer / "inbound", self._payer / "outbound")
        return any(
            not f.name.startswith(".") for folder in folders if folder.is_dir() for f in folder.iterdir()
        )


def waiting(progress: dict[str, Any]) -> list[str]:
    """What is not done yet, in words."""
    return [
        f"{name} {what}"
        for name, own in progress.items()
        for what in rest.waiting(own, rest.heads_for(own, progress))
    ]


def _dues(progress: dict[str, Any]) -> dict[str, datetime]:
    """When the next timer of each service that has one is due."""
    found = {name: own["next_due"] for name, own in progress.items()}
    return {name: datetime.fromisoformat(at) for name, at in found.items() if at}
