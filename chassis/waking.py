"""Waking: parts sleep until they are told that there is work, and look themselves every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


async def waited(event: asyncio.Event, at_most_s: float) -> bool:
    """Wait for an event, or for a while; whether the event came."""
    try:
        async with asyncio.timeout(at_most_s):
            return await event.wait()
    except TimeoutError:
        return False


class Signal:
    """Tells everybody who listens, each by an event of its own."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()

    def give(self) -> None:
        """Wake the listeners."""
        for event in self._listeners:
            event.set()

    @contextmanager
    def heard(self) -> Iterator[asyncio.Event]:
        """An event that is set each time that the signal is given."""
        event = asyncio.Event()
        self._listeners.add(event)
        try:
            yield event
        finally:
            self._listeners.discard(event)
