"""Ownership: session locks in PostgreSQL decide which process leads, reads or fires what.

A killed holder's locks are free at once, a frozen one's when its idle session times out; whoever works
under a lock is fenced besides by a compare-and-set in its transaction. Not for transaction poolers.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from math import ceil
from uuid import uuid4

from chassis.database import Connection, connect, fetch, query
from chassis.part import Part

IDLE_TIMEOUT_MS = 10_000
"""After this long without a heartbeat PostgreSQL ends the session and frees its locks."""

HEARTBEAT_S = 2.0
TURN_S = 0.5
"""How often a process looks for locks that became free."""

MEMBER_FRESH_S = 5.0
"""A member not seen for longer counts no more when shares are computed."""


def lock_number(name: str) -> int:
    """The 64-bit number of a lock's name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class Ownership(Part):
    """The locks that a process holds, kept up by a task; run it with ``async with``."""

    def __init__(self, url: str, role: str, names: Iterable[str]) -> None:
        self._url, self.name = url, role
        self._names = tuple(names)
        self._member = uuid4()
        self._connection: Connection | None = None
        self.held: frozenset[str] = frozenset()
        """The names held now."""
        self._changed = asyncio.Event()

    def holds(self, name: str) -> bool:
        """Whether this process holds a name."""
        return name in self.held

    async def until(self, name: str) -> None:
        """Wait until this process holds a name."""
        while name not in self.held:
            self._changed.clear()
            await self._changed.wait()

    async def turn(self) -> None:
        """One heartbeat: say that we are here, give back what is over our share, take what is free."""
        if self._connection is None:
            self._connection = await connect(
                self._url, options=f"-c idle_session_timeout={IDLE_TIMEOUT_MS}", application_name=self.name
            )
        async with asyncio.timeout(HEARTBEAT_S * 2):
            await self._balance(self._connection)
        await asyncio.sleep(TURN_S)

    async def _balance(self, connection: Connection) -> None:
        [row] = await fetch(connection, ANNOUNCE, self.name, self._member, self.name, MEMBER_FRESH_S)
        share = ceil(len(self._names) / (row["others"] + 1))
        for name in sorted(self.held)[share:]:
            self._set(self.held - {name})
            await connection.execute("select pg_advisory_unlock(%s)", (lock_number(name),))
        for name in self._names:
            if len(self.held) < share and name not in self.held:
                [row] = await fetch(connection, "select pg_try_advisory_lock(%s) as got", lock_number(name))
                if row["got"]:
                    self._set(self.held | {name})

    def _set(self, held: frozenset[str]) -> None:
        self.held = held
        self._changed.set()

    async def close(self) -> None:
        """Give every lock up."""
        self._set(frozenset())
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


ANNOUNCE = query("announce")
