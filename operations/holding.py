"""Holding: a session lock on a connection of its own, which never lies idle while work goes on elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar

from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from chassis.database import Connection, connect, fetch
from chassis.ownership import lock_number

ASK_S = 4.0
"""How often a holder's connection is asked: soon enough for what drops those that lie idle for a minute."""

IDLE_TIMEOUT_MS = 20_000
"""After this long without a question PostgreSQL ends the session and frees its lock: its holder is frozen."""

TRANSACTION_TIMEOUT_MS = 20_000
"""After this long without a statement PostgreSQL ends a transaction, and what waits for its rows goes on."""

PROBES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Of a connection on which nothing is said, in seconds: neither side takes one for alive that is not."""

T = TypeVar("T")


class Held(Exception):
    """Another process holds the lock."""


def probed(url: str) -> str:
    """An address whose connections are probed while nothing is said on them."""
    return make_conninfo(url, **PROBES)


def in_transactions(options: str = "") -> str:
    """Options of a session that locks rows others wait for: frozen within a transaction, it loses it."""
    return f"-c idle_in_transaction_session_timeout={TRANSACTION_TIMEOUT_MS} {options}"


AT_LEISURE = f"""
set local transaction_timeout = 0;
set local idle_in_transaction_session_timeout = {TRANSACTION_TIMEOUT_MS}
""".encode()
"""Of a transaction of a session whose transactions are short otherwise, the same: it may last long."""


@asynccontextmanager
async def holding(
    url: str, lock: str, name: str, *, waits: bool = False, options: str = ""
) -> AsyncIterator[Connection]:
    """A connection that holds a lock, shown under ``name``. Raises Held, unless it ``waits`` its turn."""
    options = f"-c idle_session_timeout={IDLE_TIMEOUT_MS} {options}"
    connection = await connect(url, options=options, application_name=name)
    try:
        if waits:
            await connection.execute("select pg_advisory_lock(%s)", (lock_number(lock),))
        else:
            [row] = await fetch(connection, "select pg_try_advisory_lock(%s) as got", lock_number(lock))
            if not row["got"]:
                raise Held(lock)
        yield connection
    finally:
        await connection.close()


async def while_held(connection: Connection, work: Coroutine[Any, Any, T]) -> T:
    """What work comes to whose lock a connection holds; it ends where that is lost: the loss is raised."""
    working, asking = asyncio.create_task(work), asyncio.create_task(_ask(connection))
    try:
        await asyncio.wait((working, asking), return_when=asyncio.FIRST_COMPLETED)
        return await (working if working.done() else asking)
    finally:
        working.cancel()
        asking.cancel()
        await asyncio.gather(working, asking, return_exceptions=True)


async def _ask(connection: Connection) -> NoReturn:
    while True:
        await asyncio.sleep(ASK_S)
        # While it answers another question it does not lie idle, and what failed answers none.
        if connection.info.transaction_status not in (TransactionStatus.ACTIVE, TransactionStatus.INERROR):
            await connection.execute("select 1")
