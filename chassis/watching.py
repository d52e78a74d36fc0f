"""Watches: folders and other outsides that are looked at every so often, by one process at a time."""

from __future__ import annotations

import asyncio

from chassis.office import AdapterOffice, Ground
from chassis.ownership import Ownership
from chassis.part import Part, is_to_end
from chassis.service import Watch


class Watcher(Part):
    """Keeps one watch."""

    def __init__(self, ground: Ground, watch: Watch, ownership: Ownership) -> None:
        self.name = f"watch:{watch.name}"
        self._ground, self._watch = ground, watch
        self._ownership = ownership.claim(self.name, [self.name])
        self._office = AdapterOffice(ground, watch.name)
        self.pending = 0

    async def turn(self) -> None:
        """Look once, while the lock is held."""
        await self._ownership.until(self.name)
        before, self.pending = self.pending, await self._watch.look(self._office)
        if self.pending != before:
            self._ground.moved.give()
        self.fault = None
        await asyncio.sleep(0 if is_to_end() else self._watch.every_s)
