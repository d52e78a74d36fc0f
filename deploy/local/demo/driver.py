"""The driver: moves simulated time for all processes, sends commands, and waits until all is quiet.

An instant ends when every store head is relayed and consumed, seen twice unchanged, with no mail, payer
work or due timer left. Services answer once they have come to rest, so that few looks are needed.
Commands carry keys derived from the seed, so that a repeat is no new command.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from chassis import progress as rest
from chassis.clock import SharedClock
from chassis.progress import heads_for

QUIET_MAX_S = 120.0
"""How long an instant may take before the driver gives up."""

WAIT_S = 0.25
"""How long a service may take to answer that it has come to rest before all are looked at anew."""

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
        self._rested: dict[str, Any] | None = None
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
        progress = await self.quiet()
        while True:
            due = [p["next_due"] for p in progress.values() if p["next_due"]]
            first = min(map(datetime.fromisoformat, due), default=at)
            if first >= at:
                break
            progress = await self._move(max(first, self.now))
        await self._move(at)

    async def _move(self, to: datetime) -> dict[str, Any]:
        self._rested = None
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
        self._rested = None
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

    async def get(self, service: str, path: str, body: Any = None) -> Any:
        """Ask a service; one that is away is asked again. A question with a body is posted."""
        headers = {"Caretrail-Actor": "demo-driver;driver", "Caretrail-Purpose": "HOPERAT"}
        method = "GET" if body is None else "POST"
        while True:
            try:
                url = f"{self._urls[service]}{path}"
                response = await self._client.request(method, url, json=body, headers=headers)
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
        if self._rested is not None:
            return self._rested
        before: dict[str, Any] = {}
        try:
            async with asyncio.timeout(QUIET_MAX_S):
                while True:
                    now = await self.progress(before)
                    if now == before and not waiting(now) and not self._at_payer():
                        self._rested = now
                        return now
                    before = now
        except TimeoutError:
            raise NotQuiet(f"{self.now.isoformat()}: {waiting(await self.progress())}") from None

    async def progress(self, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """How far each service is; given how far all were before, once it has rested at that."""
        names = list(self._urls)
        answers = await asyncio.gather(*(self._progress(name, before) for name in names))
        return dict(zip(names, answers, strict=True))

    async def _progress(self, name: str, before: dict[str, Any] | None) -> Any:
        if before is None:
            return await self.get(name, "/internal/progress")
        heads = heads_for(before[name], before) if before else {}
        return await self.get(name, "/internal/rest", {"wait": WAIT_S, "heads": heads})

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
        for what in rest.waiting(own, heads_for(own, progress))
    ]
