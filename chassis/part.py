"""Parts of a process: each works without end, and after a failure begins again from what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from traceback import extract_tb
from typing import Self

import structlog
from aiokafka.errors import KafkaError

from chassis.database import is_lost
from chassis.positions import Fenced
from chassis.refusal import Conflict, Unavailable

PAUSE_S = 0.5
"""Rest after a failure before positions are read anew."""

PASSING = (asyncio.CancelledError, Fenced, Conflict, Unavailable, KafkaError, OSError)
"""What others, Kafka and its client, or the network do to a part."""

log = structlog.get_logger(__name__)


def passes(error: BaseException) -> bool:
    """Whether the surroundings did it, and the same may go well another time; else it is a bug of ours."""
    return isinstance(error, PASSING) or is_lost(error)


def is_to_end() -> bool:
    """Whether the current task was cancelled, told or not.

    Where a pool's connection comes at the same moment, that is kept from the task: before Python 3.12
    ``asyncio.wait_for``, by which the pool waits, then gives the connection alone.
    """
    task = asyncio.current_task()
    return bool(task and task.cancelling())


class Part:
    """Work without end, from turn to turn, by a task of its own; run it with ``async with``.

    Nothing that fails ends it, be it a bug: ``fault`` is what interrupted it, until it goes well again. It is
    a ``minor`` one where the database and our code had no part in it. ``name`` is for those who are told.
    """

    name: str = ""
    fault: str | None = None
    minor: bool = False
    task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.run(), name=self.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        task, self.task = self.task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """Turn for ever; a failure closes everything before the next turn.

        What a library cancels within a turn is one, too, while nobody cancelled the part.
        """
        try:
            while not is_to_end():
                if not await self._goes_well(self.turn):
                    await self._goes_well(self.close)
                    await asyncio.sleep(PAUSE_S)
        finally:
            await self.close()

    async def _goes_well(self, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await work()
        except (asyncio.CancelledError, Exception) as error:
            if is_to_end():
                raise
            # Where, but not the message: that of a bug could hold anything.
            at = "{0.name}:{0.lineno}".format(extract_tb(error.__traceback__)[-1])
            self.fault, self.minor = type(error).__name__, isinstance(error, PASSING)
            tell = log.warning if passes(error) else log.error
            tell("interrupted", part=self.name, error=self.fault, at=at)
            return False
        return True

    async def turn(self) -> None:
        """Work for a while."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what is open."""
