"""PostgreSQL: connections of a service, made the same way everywhere."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from time import monotonic
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]

POOL_MAX = 6
"""Connections of a process for reads and consumers, beside the writer's and the lock's own."""

READ_ONLY, STALE = psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported
"""Of a server that takes no writes, as a standby; of a plan made before its table was altered, and others."""

DAMAGED = (psycopg.errors.InternalError_, psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)
"""Of what the server cannot read on its disk, or did not expect: class XX."""

FORBIDDEN, FROZEN = psycopg.errors.InsufficientPrivilege, psycopg.errors.IdleInTransactionSessionTimeout
"""Of a right that is missing; of a process that was frozen within a transaction."""

HALTED = (READ_ONLY, STALE, FORBIDDEN, FROZEN, psycopg.errors.TransactionTimeout, *DAMAGED)
LOST = (psycopg.OperationalError, psycopg.InterfaceError, *HALTED)
"""What a database raises that is away, or cannot serve as it should: decide again, never poison."""

CHECK_S = 2.0
"""How long connections that lie idle are looked over before those on which nobody answers are given up."""

LEFT_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def is_lost(error: BaseException) -> bool:
    """Whether the surroundings did it, and the same would go well another time.

    Not where a value is too large, or a statement asks for what there is not: these fail for ever.
    """
    if isinstance(error, STALE):
        return error.diag.source_function == "RevalidateCachedQuery"
    # psycopg counts among the operational errors what a statement, or one before it, is the cause of.
    aborted = isinstance(error, psycopg.errors.PipelineAborted)
    return isinstance(error, LOST) and not aborted and (error.sqlstate or "")[:2] != "54"


SESSION = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1 -c bytea_output=hex "
    "-c client_encoding=UTF8 -c standard_conforming_strings=on "
    r"-c default_transaction_isolation=read\ committed -c plan_cache_mode=force_custom_plan"
)
"""Of every session: values are written and read as they are elsewhere, whatever server, database or role say;
who waited for a lock sees what was done under it; and a plan is made for what tables hold now: one that is
kept from when they were small reads a log from end to end for each row.
What is asked too often for that is a function with plans of its own, as ``read_streams`` is."""


VANISHED: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""Of every connection over TCP: a server whose machine is gone without a word counts as lost after some 10 s,
be it that something is sent or that an answer is waited for. In s, but for ``tcp_user_timeout`` in ms."""


async def connect(url: str, options: str = "", **parameters: Any) -> Connection:
    """A connection in autocommit mode whose rows are dictionaries; ``options`` are of its session."""
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, row_factory=dict_row, options=f"{SESSION} {options}", **VANISHED, **parameters
    )


LIMIT_S = 15
"""After so many s PostgreSQL ends a transaction, so that what waits for its locks goes on: who holds them
may be frozen. Less than commands wait. Where something long is done on purpose, its transaction says so."""


def cut(*connections: Connection) -> None:
    """End connections on which nobody answers: whoever waits there learns at once that they are lost."""
    for each in connections:
        with suppress(OSError, *LOST), socket.socket(fileno=os.dup(each.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


async def fetch(connection: Connection, query: Any, *parameters: Any) -> list[Row]:
    """The rows of a query on a connection, as its transaction sees them."""
    return await (await connection.execute(query, parameters)).fetchall()


def arrays(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows turned into the arrays that a statement unnests."""
    return [list(column) for column in zip(*rows, strict=True)]


class Database:
    """A service's database: a pool of connections, opened with ``async with``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=POOL_MAX,
            open=False,
            timeout=5,
            max_idle=60,
            # Each try doubles its pause, and none begins beside it: it gives up soon, and another begins.
            reconnect_timeout=5,
            reconnect_failed=AsyncConnectionPool.check,
            kwargs={"autocommit": True, "row_factory": dict_row, "options": SESSION, **VANISHED},
        )
        self._used = dict[Connection, float]()
        self.waits = self._pool.get_stats
        """What the pool counts: connections, and how many and how long requests waited for one."""

    async def __aenter__(self) -> Database:
        await self._pool.open(wait=True, timeout=30)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for a while. Where it is lost, the others that lie idle are looked over too.

        Where it keeps what no longer holds, of tables or of its server, all others are made anew.
        """
        try:
            async with self._pool.connection() as connection:
                self._used[connection] = monotonic()
                try:
                    yield connection
                finally:
                    del self._used[connection]
        except LOST as error:
            anew, silent = isinstance(error, (READ_ONLY, STALE)), set(self._pool._pool).difference
            # By a task of its own: the pool takes a cancel for a connection that is lost, and looks on.
            look = asyncio.ensure_future(self._pool.drain() if anew else self._pool.check())
            cuts = look.get_loop().call_later(CHECK_S, lambda: cut(*silent(self._pool._pool, self._used)))
            await asyncio.wait({look})
            cuts.cancel()
            raise

    @property
    def waited_s(self) -> float:
        """How long the connection that was taken first is out; 0 where none is."""
        return monotonic() - min(self._used.values()) if self._used else 0.0

    async def give_up(self) -> None:
        """Nobody answers: all that waits is told that it is lost, and what comes next connects anew."""
        await self._pool.drain()
        cut(*self._used)

    @asynccontextmanager
    async def transaction(self, limit_s: float = LIMIT_S) -> AsyncIterator[Connection]:
        """A connection in a transaction that ends with the block; after a while PostgreSQL ends it."""
        async with self.connection() as connection, connection.transaction():
            await connection.execute(BOUND % limit_s)
            yield connection

    @asynccontextmanager
    async def transaction_at_once(self, limit_s: float = LIMIT_S) -> AsyncIterator[Connection]:
        """A transaction in one round trip, from its beginning to its commit, where nothing is read within.

        An error of a statement may come only after the block, and of all that was sent nothing is done.
        """
        async with self.connection() as connection:
            try:
                async with connection.pipeline():
                    await connection.execute("begin")
                    await connection.execute(BOUND % limit_s)
                    yield connection
                    await connection.execute("commit")
            finally:
                if connection.info.transaction_status in LEFT_OPEN:
                    await connection.rollback()

    async def rows(self, query: Any, *parameters: Any) -> list[Row]:
        """The rows of a query that may be sent twice: a connection that is lost or stale is replaced."""
        try:
            return await self._rows(query, parameters)
        except LOST:
            return await self._rows(query, parameters)

    async def _rows(self, query: Any, parameters: tuple[Any, ...]) -> list[Row]:
        async with self.connection() as connection:
            return await fetch(connection, query, *parameters)

    async def row(self, query: Any, *parameters: Any) -> Row | None:
        """The first row of a query, or None."""
        rows = await self.rows(query, *parameters)
        return rows[0] if rows else None


BOUND = b"set local transaction_timeout = '%as'"


def query(name: str, package: str = "chassis") -> bytes:
    """The text of a query that stands in a file of its own."""
    return files(f"{package}.sql").joinpath(f"{name}.sql").read_bytes()
