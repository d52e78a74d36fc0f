"""Group commit: concurrent commands of a process are written by one transaction in one round trip.

The streams that they wait for are likewise read by one statement: what comes while one is under way goes
into the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

import structlog

from chassis.aggregate import Aggregate
from chassis.command import Answer, Commit
from chassis.database import DAMAGED, LIMIT_S, LOST, Connection, Database, Row, connect, cut, is_lost
from chassis.part import Part
from chassis.postgres import STREAMS, Appender, Packed, PostgresReader
from chassis.refusal import Unavailable
from chassis.telemetry import COMMIT_BATCH, COMMIT_SECONDS
from chassis.waking import Signal, settle, waited

log = structlog.get_logger(__name__)

BATCH_MAX = 256
"""Commits of one transaction at most: beyond it latency grows and throughput no longer does."""

STREAMS_MAX = 64
"""Streams read by one statement at most: a long one delays no more than these."""

OUTAGE_MAX_S = 20.0
"""How long commits and readings wait for a database that is away before they fail with Unavailable."""

SLOW_S = 5.0
"""Commits that take longer are a fault of the process until some go well again."""

HANG_S = 10.0
"""A statement that takes longer is given up, with its connection, and sent anew."""

LOOK_S = 1.0
"""How often is looked, after a fault, whether commits can be written again; and what waits too long."""


WRITING = f"-c transaction_timeout={LIMIT_S}s -c plan_cache_mode=auto"
"""Of the writer's session, which calls one function, over and over."""

ANOTHER = "57ZF2"
"""The SQLSTATE of a store that is not the one that the process began on, by the function ``stand``."""


Waiting = tuple[Packed, "asyncio.Future[Answer]"]


class PostgresStore(PostgresReader, Part):
    """The store's writer of a process; run it with ``async with``.

    ``appended`` is given when this process committed events: relay and own projections wait for it;
    ``seen`` is the highest position that it saw.
    """

    name = "group-commit"

    def __init__(self, database: Database, appender: Appender) -> None:
        super().__init__(database.rows, appender.origin)
        self.appender = appender
        self.appended, self.seen = Signal(), 0
        self._url = database.url
        self._queue: deque[Waiting] = deque()
        self._given: list[tuple[float, asyncio.Future[Any]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._wanted: list[tuple[tuple[str, str], asyncio.Future[list[Row]]]] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Commits that wait, and streams that commands wait for."""
        return len(self._queue) + len(self._wanted)

    async def append(self, commit: Commit) -> Answer:
        """Write all of a commit durably, or nothing; see :class:`chassis.store.Store`."""
        # Packed by whom it concerns, while the batch before is being written.
        packed = self.appender.pack(commit)
        done: asyncio.Future[Answer] = self._promised()
        self._queue.append((packed, done))
        self._wake.set()
        return await done

    def _promised(self) -> asyncio.Future[Any]:
        """What somebody waits for, and no longer than he may."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._given.append((loop.time() + OUTAGE_MAX_S, done))
        if self._timer is None:
            self._timer = loop.call_later(LOOK_S, self._give_up)
        return done

    def _give_up(self) -> None:
        """Fail what waits too long. One timer for all: one for each took a tenth of an append."""
        loop = asyncio.get_running_loop()
        for done in [done for until, done in self._given if until <= loop.time()]:
            settle(done, Unavailable("the database does not answer"))
        self._given = [waiting for waiting in self._given if not waiting[1].done()]
        self._wanted = [waiting for waiting in self._wanted if not waiting[1].done()]
        self._timer = loop.call_later(LOOK_S, self._give_up) if self._given else None

    async def _rows_of(self, stream: str, form: str = "") -> list[Row]:
        done: asyncio.Future[list[Row]] = self._promised()
        self._wanted.append(((stream, form), done))
        # Read by nobody who waits: who gives up, or is given up, leaves the others what they wait for.
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_streams())
        return await done

    async def _read_streams(self) -> None:
        """Read for all who wait. Where one is lost, all whom it was for are told; for the others it is tried.

        A stream that cannot be read, its page being damaged, fails alone: it is found by halves.
        """
        at_once = STREAMS_MAX
        while wanted := [waiting for waiting in self._wanted if not waiting[1].done()]:
            batch, self._wanted = wanted[:at_once], wanted[at_once:]
            found: dict[tuple[str, str], Any] = {about: [] for about, _ in batch}
            try:
                for row in await self._fetch(STREAMS, *map(list, zip(*found, strict=True))):
                    found[row["stream"], row["form"]].append(row)
            except Exception as error:
                if len(batch) > 1 and (isinstance(error, DAMAGED) or not is_lost(error)):
                    self._wanted[:0] = batch
                    at_once = len(batch) // 2
                    continue
                found = dict.fromkeys(found, error)
            at_once = STREAMS_MAX
            for about, done in batch:
                settle(done, found[about])

    async def keep(self, aggregates: Iterable[Aggregate]) -> None:
        """Take snapshots of those that are due; what the database being away costs is time, later."""
        try:
            await self.keep_in(self.appender.epoch, aggregates)
        except LOST as error:
            log.warning("snapshot_missed", error=type(error).__name__)

    async def turn(self) -> None:
        """Write all that waits; after a fault also nothing, to see whether that goes well."""
        if not await waited(self._wake, LOOK_S if self.fault else None):
            await self._write([])
        self._wake.clear()
        while self._queue:
            await self._write(self._take())

    def _take(self) -> list[Waiting]:
        """The next batch: a stream or key that one of its commits writes keeps later ones for the next."""
        batch: list[Waiting] = []
        left: deque[Waiting] = deque()
        written: set[object] = set()
        while self._queue and len(batch) < BATCH_MAX:
            waiting = self._queue.popleft()
            writes, looked_at = _writes(waiting[0]), waiting[0].commit.expected.keys()
            (left if written & (writes | looked_at) else batch).append(waiting)
            written |= writes
        self._queue.extendleft(reversed(left))
        return batch

    async def _write(self, batch: list[Waiting]) -> None:
        """Write a batch; where one commit breaks it, each alone, so that it fails alone."""
        results: list[Answer | Exception]
        try:
            results = await self._durably(batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for waiting in batch:
                    await self._write([waiting])
                return
            results = [error] * len(batch)
        self.seen = max([self.seen, *(one.position for one in results if isinstance(one, Answer))])
        self.appended.give()
        # Where nobody waits, the first half's next commits are written while the second half decides.
        half = 0 if self._queue else len(batch) // 2
        for number, ((_, done), result) in enumerate(zip(batch, results, strict=True)):
            if number and number == half:
                await asyncio.sleep(0)
            settle(done, result)

    async def _durably(self, batch: list[Waiting]) -> list[Answer | Exception]:
        """Write through lost connections: a commit that did get through answers by its command id."""
        COMMIT_BATCH.observe(len(batch))
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + OUTAGE_MAX_S, 0.05
        slow = loop.call_later(SLOW_S, setattr, self, "fault", "commits wait")
        try:
            while True:
                try:
                    with COMMIT_SECONDS.time():
                        found = await self._transaction(batch)
                    self.fault = None
                    return found
                except LOST as error:
                    self.fault = type(error).__name__
                    await self.close()
                    # A page that cannot be read may be one commit's alone, and of that nothing is written.
                    if isinstance(error, DAMAGED) or not is_lost(error):
                        raise
                    if loop.time() > deadline or error.sqlstate == ANOTHER:
                        raise Unavailable("the database is away") from error
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 1.0)
        finally:
            slow.cancel()

    async def _transaction(self, batch: list[Waiting]) -> list[Answer | Exception]:
        """One statement in autocommit: its answer comes when it is durable, or says that nothing is.

        Who was answered before it is sent is taken out of the batch.
        """
        connection = self._connection = self._connection or await connect(self._url, WRITING)
        # What was never sent must not be carried out behind its caller's back. Of what was, the outcome is
        # unknown, and he was told so: if he sends it again, it answers by its id, be it done or not.
        batch[:] = [waiting for waiting in batch if not waiting[1].done()]
        hangs = asyncio.get_running_loop().call_later(HANG_S, cut, connection)
        try:
            return await self.appender.append(connection, [packed for packed, _ in batch])
        finally:
            hangs.cancel()

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


def _writes(packed: Packed) -> set[object]:
    held = ((one.scope, one.key) for one in packed.commit.reservations)
    return {packed.commit.cause.command_id, *packed.streams, *held}
