"""Away: Kafka, the database or a lock is not to be had for a while; what needs it waits, none gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError
from psycopg.errors import LockNotAvailable

from chassis.database import is_lost
from operations.topics import looking

WAIT_MIN_S, WAIT_MAX_S = 0.5, 10.0
"""How long is waited before what was away is asked again: twice as long each time."""

T = TypeVar("T")
log = structlog.get_logger(__name__)

KAFKA, DATABASE, LOCK = "Kafka", "the database", "a lock that others hold"
MOMENT = "a moment with less to do"
"""What is waited for where nothing was away, but not fast enough."""


class Silent(Exception):
    """A topic holds more, but does not give it."""


KAFKA_AWAY = (KafkaError, OSError, Silent)
"""What is raised where Kafka does not answer, or not in time."""


class Away(Exception):
    """Work was interrupted since ``what``, which it needs, does not answer; ``error`` names the class."""

    def __init__(self, what: str, error: str) -> None:
        super().__init__(f"{what}: {error}")
        self.what, self.error = what, error


def away_of(error: Exception) -> Away | None:
    """The interruption that an error stands for, if it would go well another time."""
    if isinstance(error, Away):
        return error
    if isinstance(error, LockNotAvailable):
        return Away(LOCK, type(error).__name__)
    what = DATABASE if is_lost(error) else KAFKA if isinstance(error, KAFKA_AWAY) else None
    return Away(what, type(error).__name__) if what else None


async def lasting(
    work: Callable[[], Awaitable[T]], say: Callable[[str], Awaitable[None]], bootstrap: str
) -> T:
    """What work comes to that goes on where it stood each time that what it needs was away.

    ``say`` is told the phase: what is waited for, and that it goes on.
    """
    pause = WAIT_MIN_S
    while True:
        try:
            return await work()
        except Away as error:
            away = error
        log.warning("work_waits", what=away.what, error=away.error)
        await say(f"waiting for {away.what}")
        await asyncio.sleep(pause)
        pause = min(2 * pause, WAIT_MAX_S)
        while away.what == KAFKA and not await answers(bootstrap):
            await asyncio.sleep(pause)
            pause = min(2 * pause, WAIT_MAX_S)
        await say("folding")


async def answers(bootstrap: str) -> bool:
    """Whether Kafka answers."""
    try:
        async with looking(bootstrap):
            return True
    except KAFKA_AWAY:
        return False
