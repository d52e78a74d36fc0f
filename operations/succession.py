"""Succession: a process ends where somebody began a later epoch in the topic, on another database.

A primary that was cut off from its standby goes on, and so do the processes that reach it alone. To readers
its epoch is over: they pass over all that is sent behind the opening of the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from chassis.office import Ground
from chassis.part import Part
from chassis.relay import Batches
from operations import walking
from operations.away import Silent
from operations.topics import Ends

BACK_MAX = 500
"""How many records of a partition are read before a batch that was sent. Where another database serves on,
one of its records is among them; where it opened its epoch alone, the opening is, in some partition."""

REST_S = 0.5
"""Between two looks: where other cells write to the topic too, each batch asks for one."""

OVER = "its epoch is over"
"""What stands for the server of a store whose epoch is over: it stands on none, and so takes no more."""

log = structlog.get_logger(__name__)


class Succession(Part):
    """Is told what the relay sent, and looks at what may be somebody else's before it.

    Once readers take a later epoch than the store's, the store is marked, and ``end`` called.
    """

    name = "succession"

    def __init__(self, ground: Ground, end: Callable[[], None]) -> None:
        self._ground, self._end = ground, end
        self._behind, self._open = dict[int, int](), dict[int, Ends]()
        self._asked = asyncio.Event()

    def sent(self, batches: Batches, acknowledged: Sequence[Any]) -> None:
        """Batches were acknowledged, in this order."""
        for (partition, batch), about in zip(batches, acknowledged, strict=True):
            if about.offset != (behind := self._behind.get(partition)):
                self._ask(partition, behind, about.offset)
            # No offset, -1, has a batch that Kafka says to have had already: it is not known what is behind.
            self._behind[partition] = about.offset + batch.record_count() if about.offset >= 0 else 0

    def _ask(self, partition: int, behind: int | None, offset: int) -> None:
        """What was sent there last is not what stands before an offset, or is not known."""
        least = behind if behind is not None and behind < offset else 0
        begin, known = max(least, offset - BACK_MAX), self._open.get(partition)
        if begin < offset:
            self._open[partition] = Ends(min(begin, known.begin), offset) if known else Ends(begin, offset)
            self._asked.set()

    async def turn(self) -> None:
        """Look at what was asked for."""
        await self._asked.wait()
        asked = dict(self._open)
        try:
            over = await self._is_over(asked)
        except Silent as error:  # as of a topic that is deleted meanwhile
            raise TimeoutError(str(error)) from error
        if over:
            await self._give_up()
        for partition, at in asked.items():
            if self._open[partition] == at:
                del self._open[partition]
        if not self._open:
            self._asked.clear()
        self.fault = None
        await asyncio.sleep(REST_S)

    async def _is_over(self, asked: dict[int, Ends]) -> bool:
        """Whether readers take a later epoch. What claims one may be nobody's record: it asks for a walk."""
        store, bootstrap = self._ground.store.appender, self._ground.settings.kafka_bootstrap
        where, epoch = (bootstrap, self._ground.topic, store.origin.source), store.epoch
        if not await walking.claims_later(*where, epoch, asked):
            return False
        found = await walking.walk(*where, {})
        return any(place.epoch > epoch for place in found.reached.values())

    async def _give_up(self) -> None:
        """Let the store take no more, from no process, and end this one."""
        epoch, service = self._ground.store.appender.epoch, self._ground.service.name
        # Where it is another by now, its processes end for that.
        if await self._ground.database.rows(GIVE_UP, OVER, epoch):
            log.error("epoch_is_over", epoch=epoch, service=service)
            self._end()
            await asyncio.get_running_loop().create_future()


GIVE_UP = b"update place set server = %s where stands(%s) returning server"
