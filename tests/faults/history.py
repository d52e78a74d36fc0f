"""What clients saw: each command with its outcome, as an observer outside must take it.

ok: answered with 2xx. fail: refused with 4xx. unknown: no answer, or 5xx; it may have been carried out.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

import aiohttp

from tests.faults.theatre import Theatre

ANSWER_MAX_S = 12.0
X12 = "application/edi-x12"
RETRIES_MAX_S = 60.0
AWAY = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass
class Operation:
    """One command of one client, over all the times that it was sent."""

    number: int
    client: str
    service: str
    path: str
    key: str
    actor: str
    reuse: bool = False
    """The key came with another body before: it must be refused."""

    body: Any = None
    outcome: str = "unknown"
    statuses: list[int] = field(default_factory=list)
    """What each try was answered with; 0 stands for no answer."""

    unreadable: int = 0
    """How often an answer came whole, and was no JSON object."""

    answer: dict[str, Any] = field(default_factory=dict)
    rule: str = ""
    began: float = 0.0
    ended: float = 0.0


class History:
    """Sends commands and keeps what came of them."""

    def __init__(self, theatre: Theatre, seed: int) -> None:
        self._theatre, self._draw = theatre, Random(f"history {seed}")
        self._session = aiohttp.ClientSession()
        self._began = time.monotonic()
        self.operations: list[Operation] = []
        self.over = False

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()

    def told(self) -> list[dict[str, Any]]:
        """The history as data."""
        return [asdict(operation) for operation in self.operations]

    async def send(
        self,
        client: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        key: str,
        role: str = "coordinator",
        again: bool | None = None,
        reuse: bool = False,
        within_s: float = ANSWER_MAX_S,
    ) -> Operation:
        """Send a command; one whose outcome is unknown is sent again only where ``again`` says so.

        Where nothing says, a draw does: two of three are.
        """
        again = self._draw.random() < 2 / 3 if again is None else again
        number, actor = len(self.operations), f"{client};{role}"
        found = Operation(number, client, service, path, key, actor, reuse, body)
        self.operations.append(found)
        found.began, pause = time.monotonic() - self._began, 0.1
        while True:
            await self._try(found, body, aiohttp.ClientTimeout(total=within_s))
            waited = time.monotonic() - self._began - found.began
            if found.outcome != "unknown" or not again or self.over or waited > RETRIES_MAX_S:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        found.ended = time.monotonic() - self._began
        return found

    async def _try(self, found: Operation, body: Any, limit: aiohttp.ClientTimeout) -> None:
        headers = {
            "Caretrail-Actor": found.actor,
            "Caretrail-Purpose": "HPAYMT" if found.actor.endswith("biller") else "TREAT",
            "Idempotency-Key": found.key,
            "Content-Type": X12 if isinstance(body, str) else "application/json",
        }
        url = self._draw.choice(self._theatre.urls(found.service)) + found.path
        try:
            about: dict[str, Any] = {"data": _written(body), "headers": headers, "timeout": limit}
            async with self._session.post(url, **about) as response:
                text = await response.read()
        except AWAY:
            found.statuses.append(0)
            return
        found.statuses.append(response.status)
        try:
            said = dict(json.loads(text))
        except (ValueError, TypeError):
            found.unreadable += 1
            return
        if response.status < 400:
            found.outcome, found.answer = "ok", said
        elif response.status < 500:
            found.outcome, found.rule = "fail", said.get("title", "")
        else:
            found.rule = said.get("title", "")

    async def look(self, service: str, path: str) -> list[dict[str, Any]]:
        """The items of a list; none where the service is away."""
        headers = {"Caretrail-Actor": "looker;coordinator", "Caretrail-Purpose": "TREAT"}
        try:
            async with self._session.get(self._theatre.urls(service)[0] + path, headers=headers) as response:
                return list((await response.json(content_type=None))["items"]) if response.ok else []
        except (*AWAY, ValueError):
            return []


def _written(body: Any) -> bytes | None:
    """A file is sent as it is, all else as JSON."""
    if body is None:
        return None
    return (body if isinstance(body, str) else json.dumps(body)).encode()
