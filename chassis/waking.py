"""Waking: parts sleep until they are told that there is work, and look themselves every so often."""

from __future__ import annotations

import asyncio


async def waited(event: asyncio.Event, at_most_s: float) -> None:
    """Wait for an event, or for a while."""
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        return
