"""Standing: a process ends where its service's database is no longer the one that it began on.

A standby that was promoted, or a copy that took the database's place, may lack events that this process
knows, and may hold others in their stead: what it keeps in memory is of no use. What begins anew compares the
store with its topic first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chassis.database import Connection, connect, fetch
from chassis.office import Ground
from chassis.part import Part

LOOK_S = 0.5
"""How often is looked. Nothing is written meanwhile: the database refuses it."""

HANG_S = 4.0
"""A look that takes longer is given up, and the next one connects anew: who vanished says nothing."""

log = structlog.get_logger(__name__)


class Standing(Part):
    """Looks whether the store is the one that the process began on; calls ``end`` once it is another."""

    name = "standing"

    def __init__(self, ground: Ground, end: Callable[[], None]) -> None:
        self._ground, self._end = ground, end
        self._connection: Connection | None = None

    async def turn(self) -> None:
        """Look; once it is another, look no more."""
        if await self._stands():
            self.fault = None
            await asyncio.sleep(LOOK_S)
            return
        epoch, service = self._ground.store.appender.epoch, self._ground.service.name
        log.error("store_is_another", epoch=epoch, service=service)
        self._end()
        await asyncio.get_running_loop().create_future()

    async def _stands(self) -> bool:
        """Ask on a connection of its own: where it is silent, the next look has a new one."""
        epoch = self._ground.store.appender.epoch
        async with asyncio.timeout(HANG_S):
            if self._connection is None:
                self._connection = await connect(self._ground.database.url)
            [row] = await fetch(self._connection, STANDS, epoch)
        return bool(row["stands"])

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


STANDS = b"select stands(%s)"
