"""Standing: a process ends where its service's database is no longer the one that it began on.

A standby that was promoted, or a copy that took the database's place, may lack events that this process
knows, and may hold others in their stead: what it keeps in memory is of no use. What begins anew compares the
store with its topic first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chassis.office import Ground
from chassis.part import Part

LOOK_S = 0.5
"""How often is looked. Nothing is written meanwhile: the database refuses it."""

log = structlog.get_logger(__name__)


class Standing(Part):
    """Looks whether the store is the one that the process began on; calls ``end`` once it is another."""

    name = "standing"

    def __init__(self, ground: Ground, end: Callable[[], None]) -> None:
        self._ground, self._end = ground, end

    async def turn(self) -> None:
        """Look until it is another."""
        epoch = self._ground.store.appender.epoch
        while (await self._ground.database.rows(STANDS, epoch))[0]["stands"]:
            self.fault = None
            await asyncio.sleep(LOOK_S)
        log.error("store_is_another", epoch=epoch, service=self._ground.service.name)
        self._end()
        await asyncio.get_running_loop().create_future()


STANDS = b"select stands(%s)"
