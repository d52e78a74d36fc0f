"""Ownership: session locks in PostgreSQL decide which process leads, reads or fires what.

A killed holder's locks are free at once, a frozen one's when its idle session times out; whoever works
under a lock is fenced besides by a compare-and-set in its transaction. Not for transaction poolers.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable
from math import ceil
from socket import gethostname
from uuid import uuid4

from chassis.database import Connection, connect, fetch, query
from chassis.part import Part

IDLE_TIMEOUT_MS = 10_000
"""After this long without a heartbeat PostgreSQL ends the session and frees its locks."""

HEARTBEAT_S = 2.0
TURN_S = 0.5
"""How often a process that lacks a part of its share looks for locks that became free."""

MEMBER_FRESH_S = 5.0
"""A member not seen for longer counts no more when shares are computed."""


def lock_number(name: str) -> int:
    """The 64-bit number of a lock's name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class Ownership(Part):
    """The locks that a process holds, all on one connection, kept up by a task; run it with ``async with``.

    Locks come in groups; the names of a group are shared fairly by the processes that claim it.
    """

    name = "ownership"

    def __init__(self, url: str, service: str) -> None:
        self._url, self._service = url, service
        self._groups: dict[str, tuple[str, ...]] = {}
        self._member = uuid4()
        self._connection: Connection | None = None
        self._held: frozenset[str] = frozenset()
        self._changed = asyncio.Event()

    def claim(self, group: str, names: Iterable[str]) -> Ownership:
        """Want a fair share of these names; to be called before the task runs."""
        self._groups[group] = tuple(names)
        return self

    def held(self, group: str) -> frozenset[str]:
        """The names of a group that are held now."""
        return self._held.intersection(self._groups[group])

    def holds(self, name: str) -> bool:
        """Whether this process holds a name."""
        return name in self._held

    async def until(self, name: str) -> None:
        """Wait until this process holds a name."""
        while name not in self._held:
            self._changed.clear()
            await self._changed.wait()

    async def turn(self) -> None:
        """One heartbeat: say that we are here, give back what is over our share, take what is free."""
        if self._connection is None:
            name = f"{self._service}:locks:{os.getpid()}@{gethostname()}"
            self._connection = await connect(self._url, options=OPTIONS, application_name=name)
        async with asyncio.timeout(HEARTBEAT_S * 2):
            settled = await self._balance(self._connection)
        await asyncio.sleep(HEARTBEAT_S if settled else TURN_S)

    async def _balance(self, connection: Connection) -> bool:
        """Come to the share of each group; whether all of it is held."""
        rows = await fetch(
            connection, ANNOUNCE, list(self._groups), self._member, self._member, MEMBER_FRESH_S
        )
        others, settled = {row["role"]: row["others"] for row in rows}, True
        for group, names in self._groups.items():
            share = ceil(len(names) / (others.get(group, 0) + 1))
            for name in sorted(self.held(group))[share:]:
                self._set(self._held - {name})
                await connection.execute("select pg_advisory_unlock(%s)", (lock_number(name),))
            await self._acquire(connection, group, share)
            settled = settled and len(self.held(group)) == share
        return settled

    async def _acquire(self, connection: Connection, group: str, share: int) -> None:
        """Try as many at once as are missing, so that no more are taken than the share."""
        free = [name for name in self._groups[group] if name not in self._held]
        while free and (missing := share - len(self.held(group))) > 0:
            tried, free = free[:missing], free[missing:]
            rows = await fetch(connection, TRY, tried, [lock_number(name) for name in tried])
            self._set(self._held.union(row["name"] for row in rows if row["got"]))

    def _set(self, held: frozenset[str]) -> None:
        self._held = held
        self._changed.set()

    async def close(self) -> None:
        """Give every lock up."""
        self._set(frozenset())
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


OPTIONS = f"-c idle_session_timeout={IDLE_TIMEOUT_MS} -c synchronous_commit=off"
"""Heartbeats need not reach the disk."""

ANNOUNCE = query("announce")
TRY = query("try_locks")
