"""The driver: moves simulated time for all processes, sends commands, and waits until all is quiet.

An instant ends when every store head is relayed and consumed, with no mail, payer work or due timer left.
Services tell of each change, each time by one look at their store. Reports that agree, from whatever moments,
say that nothing is under way: an event and the position of what it follows from are committed together.
Whoever was sent something since, or reaches outside, is asked again before it is believed.
Commands carry keys derived from the seed, so that a repeat is no new command.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import aiohttp

from chassis.clock import SharedClock
from chassis.waking import waited
from deploy.local import progress as rest

QUIET_MAX_S = 120.0
"""How long an instant may take before the driver gives up."""

KEEPERS = frozenset({"audit"})
"""Who keeps what others say and adds nothing: they are waited for where their records are asked for."""

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


PURPOSES = {"biller": "HPAYMT", "compliance": "HCOMPL"}
"""What roles act for; the others treat."""


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
        self._told: dict[str, Any] = {}
        self._sent: set[str] = set()
        self._moved = asyncio.Event()
        self._rested: dict[str, Any] | None = None
        self._following: list[asyncio.Task[None]] = []
        self.each_instant: list[Callable[[datetime], None]] = []

    async def __aenter__(self) -> Self:
        self._following = [asyncio.create_task(self._follow(name)) for name in self._players]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    @property
    def _players(self) -> list[str]:
        """The services whose events others may follow."""
        return [name for name in self._clients if name not in KEEPERS]

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
            # Who is asked looks for due timers.
            await asyncio.gather(*(self.get(name, "/internal/progress") for name in due))
            await self.quiet()

    async def post(
        self, service: str, path: str, body: Any = None, *, key: str, role: str = "coordinator"
    ) -> Any:
        """Send a command; a service that is away is asked again. Raises Refused."""
        headers = {
            "Caretrail-Actor": f"demo-{role};{role}",
            "Caretrail-Purpose": PURPOSES.get(role, "TREAT"),
            "Idempotency-Key": f"{self._name}:{key}",
        }
        self._rested = None
        self._sent.add(service)
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
        """Ask a service; it may record that it was asked, so it is not believed unasked afterwards."""
        self._sent.add(service)
        return await self._get(service, path)

    async def _get(self, service: str, path: str) -> Any:
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
        """Wait for the end of the instant and give each player's progress then. Raises NotQuiet."""
        try:
            async with asyncio.timeout(QUIET_MAX_S):
                while self._rested is None:
                    await self._look()
        except TimeoutError:
            raise NotQuiet(f"{self.now.isoformat()}: {await self._unquiet()}") from None
        return self._rested

    async def _unquiet(self) -> list[str]:
        """Why it is not quiet, in words: what waits, and where what was told last is not what is so now."""
        found = await self.progress()
        return [
            *waiting(found),
            *(f"{file.parent.name}/{file.name}" for file in self._at_payer()),
            *(f"{name} told nothing" for name in self._players if name not in self._told),
            *_otherwise(self._told, found),
        ]

    async def kept(self) -> dict[str, Any]:
        """Wait until the keepers too are at rest and give everybody's progress then. Raises NotQuiet."""
        rested, deadline = await self.quiet(), time.monotonic() + QUIET_MAX_S
        while left := waiting(found := rested | await self._ask(KEEPERS & self._clients.keys())):
            if time.monotonic() > deadline:
                raise NotQuiet(f"{self.now.isoformat()}: {left}")
            await asyncio.sleep(LOOK_S)
        return found

    async def _look(self) -> None:
        """Where all seems quiet, ask those who may know better; else wait for something to move."""
        self._moved.clear()
        told, sent = dict(self._told), set(self._sent)
        if len(told) == len(self._players) and not waiting(told) and not self._at_payer():
            asked = [name for name, own in told.items() if name in sent or own["reaches_out"]]
            # An answer that says otherwise is not kept: it may be of a moment that left no trace to tell of.
            if not _otherwise(told, await self._ask(asked)) and not self._at_payer():
                self._sent -= sent
                self._rested = told
                return
        await waited(self._moved, LOOK_S)

    async def progress(self) -> dict[str, Any]:
        """How far each service is."""
        return await self._ask(self._clients)

    async def _ask(self, names: Iterable[str]) -> dict[str, Any]:
        """How far services are."""
        asked = list(names)
        answers = await asyncio.gather(*(self._get(name, "/internal/progress") for name in asked))
        return dict(zip(asked, answers, strict=True))

    async def _follow(self, name: str) -> None:
        """Hear of each change of a service's progress."""
        client, path = self._clients[name], "/internal/progress/stream"
        while True:
            try:
                async with client.get(path, timeout=aiohttp.ClientTimeout()) as response:
                    async for line in response.content:
                        self._told[name] = json.loads(line)
                        self._moved.set()
            except AWAY as error:
                self.interruptions.add(f"{name}: {type(error).__name__}")
            await asyncio.sleep(RETRY_S)

    def _at_payer(self) -> list[Path]:
        """Files that wait at the payer's door or at ours."""
        folders = (self._payer / "inbound", self._payer / "outbound")
        return [
            f for folder in folders if folder.is_dir() for f in folder.iterdir() if not f.name.startswith(".")
        ]


def waiting(progress: dict[str, Any]) -> list[str]:
    """What is not done yet, in words."""
    return [
        f"{name} {what}"
        for name, own in progress.items()
        for what in rest.waiting(own, rest.heads_for(own, progress))
    ]


def _otherwise(told: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Where services say of now what they did not tell last, in words; an answer says more than is told."""
    return [
        f"{name} {what} {found[name][what]}, told {before}"
        for name in told
        for what, before in told[name].items()
        if name in found and found[name][what] != before
    ]


def _dues(progress: dict[str, Any]) -> dict[str, datetime]:
    """When the next timer of each service that has one is due."""
    found = {name: own["next_due"] for name, own in progress.items()}
    return {name: datetime.fromisoformat(at) for name, at in found.items() if at}
