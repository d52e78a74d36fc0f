"""Watches: folders and other outsides that are looked at every so often, by one process at a time."""

from __future__ import annotations

import asyncio

import structlog

from chassis.office import AdapterOffice, Ground
from chassis.ownership import Ownership
from chassis.service import Watch

PAUSE_S = 1.0
"""Rest after a look that failed."""

log = structlog.get_logger(__name__)


class Watcher:
    """Keeps one watch."""

    def __init__(self, ground: Ground, watch: Watch, ownership: Ownership) -> None:
        self.name = f"watch:{watch.name}"
        self._ground, self._watch = ground, watch
        self._ownership = ownership.claim(self.name, [self.name])
        self._office = AdapterOffice(ground, watch.name)
        self.pending = 0

    async def run(self) -> None:
        """Look while the lock is held."""
        while True:
            await self._ownership.until(self.name)
            try:
                before, self.pending = self.pending, await self._watch.look(self._office)
                if self.pending != before:
                    self._ground.moved.give()
                await asyncio.sleep(self._watch.every_s)
            except Exception as error:
                log.warning("watch_failed", watch=self._watch.name, error=type(error).__name__)
                await asyncio.sleep(PAUSE_S)
