"""Waking: parts sleep until they are told that there is work, and look themselves every so often."""

from __future__ import annotations

import asyncio


async def waited(event: asyncio.Event, at_most_s: float) -> bool:
    """Wait for an event, or for a while; whether the event came."""
    try:
        async with asyncio.timeout(at_most_s):
            return await event.wait()
    except TimeoutError:
        return False
