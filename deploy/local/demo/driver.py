"""The driver: moves simulated time for all processes, sends commands, and waits until all is quiet.

An instant ends when every store head is relayed and consumed, seen twice unchanged, with no mail, payer
work or due timer left. Commands carry keys derived from the seed, so that a repeat is no new command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from chassis.clock import SharedClock

QUIET_MAX_S = 120.0
"""How long an instant may take before the driver gives up."""

POLL_S = 0.02
"""Rest between two looks: looking more often takes the processors from those that work."""

RETRY_S = 0.1


class NotQuiet(Exception):
    """An instant did not come to its end in time."""


class Refused(Exception):
    """A service refused what the story wanted."""


class Driver:
    """Plays commands at instants. ``actor`` and ``purpose`` go with each of them."""

    def __init__(self, urls: dict[str, str], clock: SharedClock, payer: Path, name: str) -> None:
        self._urls, self._clock, self._payer, self._name = urls, clock, payer, name
        self._client = httpx.AsyncClient(
            timeout=30, limits=httpx.Limits(max_connections=40, max_keepalive_connections=40)
        )
        self.interruptions: set[str] = set()
        self.instants = 0
        self.commands = 0
        self.each_instant: list[Callable[[datetime], None]] = []

    async def __aenter__(self) -> Driver:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self._clock.now()

    async def until(self, at: datetime) -> None:
        """Let time pass: stop at each timer that comes due on the way, and at ``at``."""
        progress = await self.progress()
        while True:
            due = [p["next_due"] for p in progress.values() if p["next_due"]]
            first = min(map(datetime.fromisoformat, due), default=at)
            if first >= at:
                break
            progress = await self._move(max(first, self.now))
        await self._move(at)

    async def _move(self, to: datetime) -> dict[str, Any]:
        self._clock.move(to)
        self.instants += 1
        for tell in self.each_instant:
            tell(to)
        return await self.quiet()

    async def post(
        self, service: str, path: str, body: Any = None, *, key: str, role: str = "coordinator"
    ) -> Any:
        """Send a command; a service that is away is asked again. Raises Refused."""
        headers = {
            "Caretrail-Actor": f"demo-{role};{role}",
            "Caretrail-Purpose": "HPAYMT" if role == "biller" else "TREAT",
            "Idempotency-Key": f"{self._name}:{key}",
        }
        while True:
            try:
                response = await self._client.post(f"{self._urls[service]}{path}", json=body, headers=headers)
            except httpx.TransportError as error:
                self.interruptions.add(f"{service}: {type(error).__name__}")
                await asyncio.sleep(RETRY_S)
                continue
            if response.status_code == 503:
                await asyncio.sleep(RETRY_S)
                continue
            self.commands += 1
            if response.is_success:
                return response.json()
            raise Refused(f"{service} {path}: {response.status_code} {response.text[:400]}")

    async def get(self, service: str, path: str) -> Any:
        """Ask a service; one that is away is asked again."""
        headers = {"Caretrail-Actor": "demo-driver;driver", "Caretrail-Purpose": "HOPERAT"}
        while True:
            try:
                response = await self._client.get(f"{self._urls[service]}{path}", headers=headers)
                if response.status_code != 503:
                    response.raise_for_status()
                    return response.json()
            except httpx.TransportError as error:
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
        before: Any = None
        try:
            async with asyncio.timeout(QUIET_MAX_S):
                while True:
                    now = await self.progress()
                    if is_quiet(now) and not self._at_payer():
                        if now == before:
                            return now
                        before = now
                    else:
                        before = None
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise NotQuiet(f"{self.now.isoformat()}: {waiting(await self.progress())}") from None

    async def progress(self) -> dict[str, Any]:
        """How far each service is."""
        names = list(self._urls)
        answers = await asyncio.gather(*(self.get(name, "/internal/progress") for name in names))
        return dict(zip(names, answers, strict=True))

    def _at_payer(self) -> bool:
        """Whether files wait at the payer's door or at ours."""
        folders = (self._payer / "inbound", self._payer / "outbound")
        return any(
            not f.name.startswith(".") for folder in folders if folder.is_dir() for f in folder.iterdir()
        )


def is_quiet(progress: dict[str, Any]) -> bool:
    """Whether every head is relayed and consumed, with nothing due or under way."""
    return not waiting(progress)


def waiting(progress: dict[str, Any]) -> list[str]:
    """What is not done yet, in words."""
    found = []
    for name, own in progress.items():
        if own["relayed"] < own["head"]:
            found.append(f"{name} relay {own['relayed']}/{own['head']}")
        if max(own["consumed"].get("store", {"0": 0}).values()) < own["head"]:
            found.append(f"{name} own store")
        found += [f"{name} {what}" for what in ("due", "effects", "watched", "queued") if own[what]]
        found += [f"{name} <- {source}" for source in own["sources"] if _behind(own, progress[source])]
    return found


def _behind(own: dict[str, Any], other: dict[str, Any]) -> bool:
    seen = own["consumed"].get(other["source"], {})
    return any(seen.get(partition, 0) < head for partition, head in other["heads"].items())
