"""Waking: parts sleep until they are told that there is work, and look themselves every so often."""

from __future__ import annotations

import asyncio
from typing import Any


async def waited(event: asyncio.Event, at_most_s: float | None) -> bool:
    """Wait for an event, for a while or without end; whether the event came."""
    try:
        async with asyncio.timeout(at_most_s):
            return await event.wait()
    except TimeoutError:
        return False


def settle(done: asyncio.Future[Any], result: Any) -> None:
    """Give whoever still waits a result, or raise it there where it is an error."""
    if not done.done():
        (done.set_exception if isinstance(result, Exception) else done.set_result)(result)


class Signal:
    """Something that happens again and again, and that many may wait for."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def give(self) -> None:
        """It happened: wake all who wait."""
        self._next.set()
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """An event that is set when it happens next."""
        return self._next
