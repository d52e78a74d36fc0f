"""Looking: a look at a database that may hang holds up nobody for longer than he has time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Look(Generic[T]):
    """A look that is left behind where it takes too long: a statement that hangs ends late also where it is
    cancelled. Whoever looks again meanwhile waits for the same one, so that they do not pile up."""

    def __init__(self, look: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._look = look
        self._task: asyncio.Task[T] | None = None

    async def within(self, most_s: float) -> T | None:
        """What is seen; None where that takes longer."""
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.create_task(self._look())
        done, _ = await asyncio.wait({task}, timeout=most_s)
        return task.result() if done else None
