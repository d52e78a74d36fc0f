"""Group commit: concurrent commands of a process are written as one transaction in one round trip."""

from __future__ import annotations

import asyncio
from collections import deque

import psycopg

from chassis.command import Answer, Commit
from chassis.database import LOST, Connection, Database, connect
from chassis.part import Part
from chassis.postgres import APPEND, TAKE_LOCK, Appender, PostgresReader
from chassis.waking import Signal

BATCH_MAX = 256
"""Commits of one transaction at most: beyond it latency grows and throughput no longer does."""

QUEUE_MAX = 10_000
"""Commits that may wait; beyond it commands are refused with Overloaded."""

OUTAGE_MAX_S = 20.0
"""How long commits wait for a database that is away before they fail with Unavailable."""


class Unavailable(Exception):
    """The database is away: whether the command was carried out is unknown; send it again."""


class Overloaded(Exception):
    """Too many commands wait: try again later."""


Waiting = tuple[Commit, "asyncio.Future[Answer]"]


class PostgresStore(PostgresReader, Part):
    """The store's writer of a process; run it with ``async with``.

    ``appended`` is given when this process committed events: relay and own projections wait for it.
    """

    name = "group-commit"

    def __init__(self, database: Database, appender: Appender) -> None:
        super().__init__(database.rows, appender.origin)
        self.appender = appender
        self.appended = Signal()
        self._url = database.url
        self._queue: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._connection: Connection | None = None

    @property
    def depth(self) -> int:
        """Commits that wait."""
        return len(self._queue)

    async def append(self, commit: Commit) -> Answer:
        """Write all of a commit durably, or nothing; see :class:`chassis.store.Store`."""
        if len(self._queue) >= QUEUE_MAX:
            raise Overloaded(f"{QUEUE_MAX} commands wait")
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((commit, done))
        self._wake.set()
        return await done

    async def turn(self) -> None:
        """Write all that waits."""
        await self._wake.wait()
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
            writes = _writes(waiting[0])
            (left if written & (writes | waiting[0].expected.keys()) else batch).append(waiting)
            written |= writes
        self._queue.extendleft(reversed(left))
        return batch

    async def _write(self, batch: list[Waiting]) -> None:
        """Write a batch; where one commit breaks it, each alone, so that it fails alone."""
        results: list[Answer | Exception]
        try:
            results = await self._durably([commit for commit, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for waiting in batch:
                    await self._write([waiting])
                return
            results = [error] * len(batch)
        for (_, done), result in zip(batch, results, strict=True):
            if done.done():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
        self.appended.give()

    async def _durably(self, commits: list[Commit]) -> list[Answer | Exception]:
        """Write through lost connections: a commit that did get through answers by its command id."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + OUTAGE_MAX_S, 0.05
        while True:
            try:
                return await self._transaction(commits)
            except LOST as error:
                await self.close()
                if loop.time() > deadline:
                    raise Unavailable("the database is away") from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)

    async def _transaction(self, commits: list[Commit]) -> list[Answer | Exception]:
        parameters = self.appender.parameters(commits)
        connection = self._connection = self._connection or await connect(self._url)
        try:
            async with connection.pipeline():
                await connection.execute("begin")
                await connection.execute(TAKE_LOCK)
                cursor = await connection.execute(APPEND, parameters, prepare=True)
                await connection.execute("commit")
        except psycopg.Error:
            if not connection.broken:
                await connection.rollback()
            raise
        return self.appender.results(commits, await cursor.fetchall())

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


def _writes(commit: Commit) -> set[object]:
    reserved = {(wanted.scope, wanted.key) for wanted in commit.reservations}
    return {commit.cause.command_id, *commit.streams, *reserved}
