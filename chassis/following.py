"""Following: what reads on for ever, and after a failure begins again from what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import structlog
from aiokafka.errors import KafkaError
from caretrail_contracts.cloudevents import Record

from chassis.database import LOST
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.positions import Fenced, Gap
from chassis.refusal import Conflict

POLL_S = 0.25
"""How often is looked without being woken: the guarantee behind the wake-up."""

PAUSE_S = 0.5
"""Rest after a failure before positions are read anew."""

PASSING = (Fenced, Gap, Conflict, KafkaError, OSError, *LOST)
"""What the surroundings do to a part; anything else is a bug of ours."""

log = structlog.get_logger(__name__)


class Part:
    """Work without end, from turn to turn. ``fault`` is what interrupted it, until it goes well again."""

    fault: str | None = None

    async def run(self) -> None:
        """Turn for ever; a failure of the surroundings closes everything before the next turn."""
        try:
            while True:
                try:
                    await self.turn()
                except PASSING as error:
                    self.fault = type(error).__name__ + (f": {error}" if isinstance(error, Gap) else "")
                    log.warning("interrupted", part=type(self).__name__, error=self.fault)
                    await self.close()
                    await asyncio.sleep(PAUSE_S)
        finally:
            await self.close()

    async def turn(self) -> None:
        """Work for a while."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what is open."""


class Follower(Part):
    """Takes what is new in the service's own store, in its order, while a lock is held."""

    batch_max: ClassVar[int]

    def __init__(self, ground: Ground, ownership: Ownership, lock: str) -> None:
        self.ground = ground
        self._ownership, self._lock = ownership, lock
        self._committed = asyncio.Event()
        ground.store.on_commit.append(self._committed.set)

    async def begin(self) -> int:
        """The stored position to go on from."""
        raise NotImplementedError

    async def take(self, records: Sequence[Record]) -> None:
        """Do what is to be done with records, and store the position of the last one."""
        raise NotImplementedError

    async def turn(self) -> None:
        """Follow from the stored position on."""
        await self._ownership.until(self._lock)
        position = await self.begin()
        while self._ownership.holds(self._lock):
            self._committed.clear()
            records = await self.ground.store.read(position, self.batch_max)
            self.fault = None
            if records:
                await self.take(records)
                position = records[-1].envelope.position
            else:
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._committed.wait()
        except TimeoutError:
            return
