"""Ownership: session locks in PostgreSQL decide which process leads, reads or fires what.

A killed holder's locks are free at once, a frozen one's when its idle session times out, and so is its
share: that a process is there is a lock too. Whoever works under a lock is fenced besides by a
compare-and-set in its transaction. Not for transaction poolers.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from math import ceil
from socket import gethostname

from chassis.database import LOST, READ_ONLY, Connection, connect, fetch, query
from chassis.part import Part
from chassis.waking import waited

IDLE_TIMEOUT_MS = 10_000
"""After this long without a look PostgreSQL ends the session and frees its locks."""

LOOK_S = 0.4
"""How often is looked who is there and what is free: nobody tells of a process that was killed. A reader
needs 0.3 s more at most to begin, so that all of it comes to less than a second."""

HANG_S = 4.0
"""A look that takes longer is given up, and soon nothing is held: well before PostgreSQL ends the session."""

TELL_MAX_S = 1.0
"""How long a process that stops tries to tell the others."""


def lock_number(name: str) -> int:
    """The 64-bit number of a lock's name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class Ownership(Part):
    """The locks that a process holds, all on one connection, kept up by a task; run it with ``async with``.

    Locks come in groups; the names of a group are shared fairly by the processes that claim it. What one
    gives back, and what another takes, follows each other in the order in which they are claimed.
    """

    name = "PostgreSQL"
    """What its looks are the first to tell of: that the database is away, or takes no writes."""

    def __init__(self, url: str, service: str) -> None:
        self._url, self._service = url, service
        self._groups: dict[str, tuple[str, ...]] = {}
        self._members: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._connection: Connection | None = None
        self._held: frozenset[str] = frozenset()
        self._changed, self._told = asyncio.Event(), asyncio.Event()

    def claim(self, group: str, names: Iterable[str]) -> Ownership:
        """Want a fair share of these names; to be called before the task runs."""
        self._groups[group] = tuple(names)
        self._members[group] = lock_number(f"members:{group}")
        self._numbers |= {name: lock_number(name) for name in self._groups[group]}
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
        """One look; then rest, until another process tells that it came or gave something back."""
        if self._connection is None:
            name = f"{self._service}:locks:{os.getpid()}@{gethostname()}"
            self._connection = await connect(self._url, options=OPTIONS, application_name=name)
            await self._join(self._connection)
        self._told.clear()
        # Where nobody answers, a statement takes long to be given up: locks are not kept until then.
        hangs = asyncio.get_running_loop().call_later(HANG_S * 1.25, self._hang)
        try:
            async with asyncio.timeout(HANG_S):
                if "on" in map(self._connection.info.parameter_status, TAKES_NO_WRITES):
                    raise READ_ONLY
                await self._balance(self._connection)
                self.fault = None
        finally:
            hangs.cancel()
        await self._rest(self._connection.fileno())

    async def _join(self, connection: Connection) -> None:
        """Be one of those who share each group, for as long as the connection lives."""
        connection.add_notify_handler(lambda _: self._told.set())
        async with asyncio.timeout(HANG_S):
            await connection.execute("listen locks")
            await connection.execute(JOIN, (list(self._members.values()),))
            await connection.execute(TELL)

    async def _rest(self, socket: int) -> None:
        """Until the next look, or until the database says something: that it ends the session, too."""
        loop = asyncio.get_running_loop()
        loop.add_reader(socket, self._told.set)
        try:
            await waited(self._told, LOOK_S)
        finally:
            loop.remove_reader(socket)

    async def _balance(self, connection: Connection) -> None:
        """Come to the share of each group: give back what is over it, take what is free."""
        lacking = [number for name, number in self._numbers.items() if name not in self._held]
        rows = await fetch(connection, HOLDERS, [*self._members.values(), *lacking])
        holders = {row["number"]: row["holders"] for row in rows}
        for group, names in self._groups.items():
            share = ceil(len(names) / holders[self._members[group]])
            if over := [name for name in names if name in self._held][share:]:
                self._set(self._held.difference(over))
                await connection.execute(GIVE, ([self._numbers[name] for name in over],))
                await connection.execute(TELL)
            free = [name for name in names if holders.get(self._numbers[name]) == 0]
            while free and (missing := share - len(self.held(group))) > 0:
                # No more than are missing; where another was faster, those that are left.
                tried, free = free[:missing], free[missing:]
                rows = await fetch(connection, TRY, tried, [self._numbers[name] for name in tried])
                self._set(self._held.union(row["name"] for row in rows if row["got"]))

    def _hang(self) -> None:
        self.fault = "no answer"
        self._set(frozenset())

    def _set(self, held: frozenset[str]) -> None:
        self._held = held
        self._changed.set()

    async def close(self) -> None:
        """Give every lock up."""
        self._set(frozenset())
        connection, self._connection = self._connection, None
        if connection:
            with suppress(*LOST, TimeoutError):  # who is not told looks soon
                async with asyncio.timeout(TELL_MAX_S):
                    await connection.execute("select pg_advisory_unlock_all()")
                    await connection.execute(TELL)
            await connection.close()


TAKES_NO_WRITES = ("in_hot_standby", "default_transaction_read_only")
"""What PostgreSQL tells by itself of a session: who works under a lock could do nothing."""

OPTIONS = f"-c idle_session_timeout={IDLE_TIMEOUT_MS} -c synchronous_commit=off"
"""Nothing is written but hints, which need not reach the disk."""

JOIN = b"select pg_advisory_lock_shared(number) from unnest(%s::bigint[]) as number"
GIVE = b"select pg_advisory_unlock(number) from unnest(%s::bigint[]) as number"
TELL = b"notify locks"
"""A hint, and rare: whoever does not hear it looks soon."""

HOLDERS, TRY = query("holders"), query("try_locks")
