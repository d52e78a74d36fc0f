"""Parts of a process: each works without end, and after a failure begins again from what is stored."""

from __future__ import annotations

import asyncio
from typing import Self

import structlog
from aiokafka.errors import KafkaError

from chassis.database import LOST
from chassis.positions import Fenced, Gap
from chassis.refusal import Conflict

PAUSE_S = 0.5
"""Rest after a failure before positions are read anew."""

PASSING = (Fenced, Gap, Conflict, KafkaError, OSError, *LOST)
"""What the surroundings do to a part; anything else is a bug of ours."""

log = structlog.get_logger(__name__)


class Part:
    """Work without end, from turn to turn: with ``run``, or by a task of its own with ``async with``.

    ``fault`` is what interrupted it, until it goes well again; ``name`` is for the log.
    """

    name: str = ""
    fault: str | None = None
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run(), name=self.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Turn for ever; a failure of the surroundings closes everything before the next turn."""
        try:
            while True:
                try:
                    await self.turn()
                except PASSING as error:
                    self.fault = type(error).__name__ + (f": {error}" if isinstance(error, Gap) else "")
                    log.warning("interrupted", part=self.name or type(self).__name__, error=self.fault)
                    await self.close()
                    await asyncio.sleep(PAUSE_S)
        finally:
            await self.close()

    async def turn(self) -> None:
        """Work for a while."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what is open."""
