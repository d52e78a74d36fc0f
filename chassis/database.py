"""PostgreSQL: connections of a service, made the same way everywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]

POOL_MAX = 6
"""Connections of a process for reads and consumers, beside the writer's and the lock's own."""

LOST = (psycopg.OperationalError, psycopg.InterfaceError)
"""What a lost connection or a database that restarts raises: decide again, never poison."""


LEFT_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def is_lost(error: Exception) -> bool:
    """Whether the same would go well another time: not where a value is too large, which fails for ever."""
    return isinstance(error, LOST) and not isinstance(error, NEVER)


NEVER = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.PipelineAborted)
"""What psycopg counts among the operational errors though a statement, or one before it, is the cause."""


IN_UTC = "-c timezone=UTC"
"""Of every session: a time is told as it is told elsewhere, wherever the server stands."""


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
        url,
        autocommit=True,
        row_factory=dict_row,
        options=f"{IN_UTC} {options}",
        **VANISHED,
        **parameters,
    )


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
            kwargs={"autocommit": True, "row_factory": dict_row, "options": IN_UTC, **VANISHED},
        )
        self.waits = self._pool.get_stats
        """What the pool counts: connections, and how many and how long requests waited for one."""

    async def __aenter__(self) -> Database:
        await self._pool.open(wait=True, timeout=30)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for a while. Where it is lost, the others that lie idle are looked over too."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except LOST:
            await self._pool.check()
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that ends with the block."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def transaction_at_once(self) -> AsyncIterator[Connection]:
        """A transaction in one round trip, from its beginning to its commit, where nothing is read within.

        An error of a statement may come only after the block, and of all that was sent nothing is done.
        """
        async with self.connection() as connection:
            try:
                async with connection.pipeline():
                    await connection.execute("begin")
                    yield connection
                    await connection.execute("commit")
            finally:
                if connection.info.transaction_status in LEFT_OPEN:
                    await connection.rollback()

    async def rows(self, query: Any, *parameters: Any) -> list[Row]:
        """The rows of a query that may be sent twice: a lost connection is replaced once."""
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


def query(name: str, package: str = "chassis") -> bytes:
    """The text of a query that stands in a file of its own."""
    return files(f"{package}.sql").joinpath(f"{name}.sql").read_bytes()
