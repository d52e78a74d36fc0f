"""Parts of a process: each works without end, and after a failure begins again from what is stored."""

from __future__ import annotations

import asyncio
from traceback import extract_tb
from typing import ClassVar, Self

import structlog
from aiokafka.errors import KafkaError

from chassis.database import LOST
from chassis.positions import Fenced
from chassis.refusal import Conflict

PAUSE_S = 0.5
"""Rest after a failure before positions are read anew."""

PASSING = (Fenced, Conflict, KafkaError, OSError, *LOST)
"""What the surroundings do to a part; anything else is a bug of ours."""

log = structlog.get_logger(__name__)


def is_to_end() -> bool:
    """Whether the current task was cancelled, told or not.

    Where a pool's connection comes at the same moment, that is kept from the task: before Python 3.12
    ``asyncio.wait_for``, by which the pool waits, then gives the connection alone.
    """
    task = asyncio.current_task()
    return bool(task and task.cancelling())


class Part:
    """Work without end, from turn to turn: with ``run``, or by a task of its own with ``async with``.

    ``fault`` is what interrupted it, until it goes well again; ``name`` is for the log. It ``survives``
    what the surroundings do to it, or, where one bad record must not stop it for good, bugs too.
    """

    name: str = ""
    fault: str | None = None
    survives: ClassVar[tuple[type[Exception], ...]] = PASSING
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run(), name=self.name)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run(self) -> None:
        """Turn for ever; a failure of the surroundings closes everything before the next turn.

        What a library cancels within a turn is one, too, while nobody cancelled the part.
        """
        try:
            while not is_to_end():
                try:
                    await self.turn()
                except BaseException as error:
                    passes = isinstance(error, (asyncio.CancelledError, *self.survives))
                    if not passes or is_to_end():
                        raise
                    # Where, but not the message: that of a bug could hold anything.
                    at = "{0.name}:{0.lineno}".format(extract_tb(error.__traceback__)[-1])
                    self.fault = type(error).__name__
                    log.warning("interrupted", part=self.name, error=self.fault, at=at)
                    await self.close()
                    await asyncio.sleep(PAUSE_S)
        finally:
            await self.close()

    async def turn(self) -> None:
        """Work for a while."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of what is open."""
