"""Following: what takes new events of the service's own store as they are committed."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic
from typing import Any

from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.part import Part, is_to_end
from chassis.waking import waited

POLL_S = 0.25
"""How often is looked without being woken: the guarantee behind the wake-up."""


BUSY_S = 0.01
"""How soon after something was found, doubled each time that nothing is, while other processes write: what
they commit wakes nobody here."""

OTHERS_S = 5.0
"""So long other processes are taken to write on after something of theirs was found."""


class Follower(Part):
    """Takes what is new in the service's own store, in its order, while a lock is held."""

    batch_max: int

    def __init__(self, ground: Ground, ownership: Ownership, lock: str) -> None:
        self.ground = ground
        self._ownership, self._lock = ownership, lock

    async def begin(self) -> int:
        """The stored position to go on from."""
        raise NotImplementedError

    async def read(self, after: int) -> Sequence[Any]:
        """What comes after a position."""
        return await self.ground.store.read(after, self.batch_max)

    async def take(self, found: Sequence[Any]) -> int:
        """Do what is to be done with what was read, and store the position of the last one; gives it."""
        raise NotImplementedError

    async def turn(self) -> None:
        """Follow from the stored position on."""
        await self._ownership.until(self._lock)
        position, pause = await self.begin(), POLL_S
        appended, woken, others = self.ground.store.appended.next(), True, -inf
        while self._ownership.holds(self._lock) and not is_to_end():
            found = await self.read(position)
            if found:
                others = others if woken else monotonic()
                position, pause = await self.take(found), BUSY_S
            self.fault = None
            full, alone = len(found) >= self.batch_max, monotonic() - others > OTHERS_S
            if not found or (alone and not full):
                await waited(appended, POLL_S if alone else pause)
                pause = min(2 * pause, POLL_S)
            # What follows a full batch was there with it, and says no more of others than that did.
            woken, appended = appended.is_set() or (woken and full), self.ground.store.appended.next()
