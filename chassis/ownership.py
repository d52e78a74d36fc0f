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

import structlog

from chassis.database import LOST, Connection, connect

IDLE_TIMEOUT_MS = 10_000
"""After this long without a heartbeat PostgreSQL ends the session and frees its locks."""

HEARTBEAT_S = 2.0
TURN_S = 0.5
"""How often a process that lacks a part of its share looks for locks that became free."""

MEMBER_FRESH_S = 5.0
"""A member not seen for longer counts no more when shares are computed."""

log = structlog.get_logger(__name__)


def lock_number(name: str) -> int:
    """The 64-bit number of a lock's name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


class Ownership:
    """The locks that a process holds, all on one connection, kept up by a task; run it with ``async with``.

    Locks come in groups; the names of a group are shared fairly by the processes that claim it.
    """

    def __init__(self, url: str, service: str) -> None:
        self._url, self._service = url, service
        self._groups: dict[str, tuple[str, ...]] = {}
        self._member = uuid4()
        self._connection: Connection | None = None
        self._held: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def claim(self, group: str, names: Iterable[str]) -> None:
        """Want a fair share of these names; call it before the task runs."""
        self._groups[group] = tuple(names)

    async def __aenter__(self) -> Ownership:
        if self._groups:
            self._task = asyncio.create_task(self._keep(), name="ownership")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._lose()

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

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S * 2):
                    settled = await self._turn()
                await asyncio.sleep(HEARTBEAT_S if settled else TURN_S)
            except (TimeoutError, *LOST) as error:
                log.warning("locks_lost", error=type(error).__name__)
                await self._lose()
                await asyncio.sleep(TURN_S)

    async def _turn(self) -> bool:
        """One heartbeat: say that we are here, give back what is over our share, take what is free.

        Returns whether every share is held.
        """
        if self._connection is None:
            options = f"-c idle_session_timeout={IDLE_TIMEOUT_MS} -c synchronous_commit=off"
            self._connection = await connect(
                self._url, options=options, application_name=f"{self._service}:locks"
            )
        cursor = await self._connection.execute(
            ANNOUNCE, (list(self._groups), self._member, self._member, MEMBER_FRESH_S)
        )
        others = {row["role"]: int(row["others"]) for row in await cursor.fetchall()}
        settled = True
        for group, names in self._groups.items():
            share = ceil(len(names) / (others.get(group, 0) + 1))
            await self._release(self._connection, group, len(self.held(group)) - share)
            await self._acquire(self._connection, group, share)
            settled = settled and len(self.held(group)) == share
        return settled

    async def _release(self, connection: Connection, group: str, count: int) -> None:
        for name in sorted(self.held(group), reverse=True)[: max(count, 0)]:
            self._set(self._held - {name})
            await connection.execute("select pg_advisory_unlock(%s)", (lock_number(name),))

    async def _acquire(self, connection: Connection, group: str, share: int) -> None:
        free = [name for name in self._groups[group] if name not in self._held]
        while free and (missing := share - len(self.held(group))) > 0:
            tried, free = free[:missing], free[missing:]
            cursor = await connection.execute(TRY, (tried, [lock_number(name) for name in tried]))
            got = {row["name"] for row in await cursor.fetchall() if row["got"]}
            if got:
                self._set(self._held | got)

    def _set(self, held: frozenset[str]) -> None:
        self._held = held
        self._changed.set()

    async def _lose(self) -> None:
        self._set(frozenset())
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


TRY = b"""
select name, pg_try_advisory_lock(number) as got from unnest(%s::text[], %s::bigint[]) as t (name, number)
"""
ANNOUNCE = b"""
with seen as (
    insert into members (role, member, seen_at) select unnest(%s::text[]), %s, clock_timestamp()
    on conflict (role, member) do update set seen_at = clock_timestamp()
)
select role, count(*) as others from members
where member <> %s and seen_at > clock_timestamp() - make_interval(secs => %s)
group by role
"""
