"""Pressure: what was accepted and could not be passed on yet is bounded; beyond it commands are turned away.

Only commands from outside are: what a process does on account of accepted ones is never refused.
"""

from __future__ import annotations

from contextlib import suppress
from math import ceil
from time import monotonic
from typing import NamedTuple

from fastapi import Request
from prometheus_client import Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.database import LOST, query
from chassis.office import Ground
from operations.looking import Look
from web.counting import is_command
from web.problems import Problem, document

LOOK_S = 0.25
"""Beyond the bound the database is asked this often at most, and below it never."""

LOOK_MAX_S = 1.0
"""Who waits longer for the database goes by what was seen last."""

RETRY_MAX_S = 30
"""What a caller is told to wait at most, and where nothing drains."""


class Excess(NamedTuple):
    """Which bound is exceeded, in words, and in how many seconds to send again."""

    bound: str
    why: str
    retry_s: int


class Pressure:
    """Knows whether a process takes commands."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._store = ground, ground.store
        self._unpublished_max = ground.settings.unpublished_max
        self._queued_max = ground.settings.queued_max
        # The mark only rises, so an old one makes the log seem less published than it is: then it is read.
        self._mark, self._seen, self._rate = 0, 0.0, 0.0
        self._look = Look(self._looked)

    async def excess(self) -> Excess | None:
        """What turns commands away now."""
        if self._store.depth < self._queued_max and self._over() > 0 and monotonic() - self._seen >= LOOK_S:
            await self._look.within(LOOK_MAX_S)
        return self.known()

    async def _looked(self) -> None:
        with suppress(*LOST):  # who cannot look goes by what was seen last
            await self.look()

    def known(self) -> Excess | None:
        """What turns commands away by what was seen last."""
        if self._store.depth >= self._queued_max:
            return Excess("queued", f"{self._store.depth} commands wait, {self._queued_max} may", 1)
        if (over := self._over()) <= 0:
            return None
        retry_s = min(ceil(over / self._rate), RETRY_MAX_S) if self._rate else RETRY_MAX_S
        unpublished = over + self._unpublished_max
        why = f"{unpublished} events are not published, {self._unpublished_max} may be"
        return Excess("unpublished", why, retry_s)

    async def admit(self) -> None:
        """Let a command in, or count it as turned away. Raises Problem."""
        if excess := await self.excess():
            TURNED_AWAY.labels(excess.bound).inc()
            detail = f"Too much waits ({excess.why}): send it again."
            raise Problem(503, "Overloaded", detail, retry_s=excess.retry_s)

    def _over(self) -> int:
        return self._store.seen - self._mark - self._unpublished_max

    async def look(self) -> None:
        """Read head and mark; how fast the mark rose since the last look is what the wait goes by."""
        before, since, self._seen = self._mark, self._seen, monotonic()
        [row] = await self._ground.database.rows(BACKLOG, self._ground.topic)
        self._store.seen, self._mark = row["head"], row["mark"]
        self._rate = (self._mark - before) / (self._seen - since) if before else 0.0


class Bounds:
    """Turns commands away beyond the bounds, before anything of them is read; looks and operators go on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, unless it would write what cannot be passed on."""
        app = self._app
        if scope["type"] == "http" and is_command(scope["method"], scope["path"]):
            pressure: Pressure = scope["app"].state.pressure
            try:
                await pressure.admit()
            except Problem as problem:
                app = document(Request(scope), problem)
        await app(scope, receive, send)


TURNED_AWAY = Counter("caretrail_commands_turned_away", "Commands refused beyond a bound", ["bound"])
for bound in ("queued", "unpublished"):
    TURNED_AWAY.labels(bound)
BACKLOG = query("backlog", "operations")
