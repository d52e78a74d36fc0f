"""What waits for a database that stands still is told that it is lost; what only takes long waits on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from chassis.database import LOST, VANISHED, Database, connect, fetch
from operations import patience
from operations.patience import Patience, is_silence

pytestmark = pytest.mark.servers


class Way:
    """A way to the server that can be blocked: what is said comes to nobody, and nobody answers."""

    def __init__(self, folder: Path, server: str) -> None:
        self.open, self._server, self._here = True, server, str(folder / ".s.PGSQL.5432")
        self._left = list[asyncio.StreamWriter]()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Way]:
        self._door = await asyncio.start_unix_server(self._pass, self._here)
        self._ways = set[asyncio.Task[None]]()
        try:
            yield self
        finally:
            self._door.close()
            for writer in self._left:
                writer.close()
            for way in self._ways:
                way.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            self._left.append(writer)
            return
        there, here = await asyncio.open_unix_connection(self._server)
        self._ways |= {
            asyncio.create_task(self._carry(reader, here)),
            asyncio.create_task(self._carry(there, writer)),
        }

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (said := await reader.read(65_536)) and self.open:
            writer.write(said)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience ends soon."""
    monkeypatch.setattr(patience, "LOOK_S", 0.05)
    monkeypatch.setattr(patience, "SILENT_S", 0.1)
    monkeypatch.setitem(VANISHED, "connect_timeout", 2)


@pytest.mark.usefixtures("soon")
async def test_what_waits_for_a_server_that_stands_still_is_told(database: str, tmp_path: Path) -> None:
    server = f"{conninfo_to_dict(database)['host']}/.s.PGSQL.5432"
    blocked = make_conninfo(database, host=str(tmp_path))
    async with (
        asyncio.timeout(30),
        Way(tmp_path, server).opened() as way,
        Database(blocked) as there,
        Patience(there),
    ):
        await once(there, "select pg_sleep(0.5)")
        way.open = False
        with pytest.raises(psycopg.OperationalError):
            await once(there, "select 1")
        way.open = True
        await there.rows("select 1")


@pytest.mark.usefixtures("soon")
async def test_who_takes_nobody_new_is_not_silent(database: str, servers: dict[str, str]) -> None:
    let = f"alter database {conninfo_to_dict(database)['dbname']} with allow_connections {{}}".format
    async with Database(database) as there, Patience(there), await connect(servers["postgres"]) as admin:
        await admin.execute(let("false").encode())
        await once(there, "select pg_sleep(0.7)")
        await admin.execute(let("true").encode())


async def test_who_lets_nobody_in_line_is_silent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as first:
        door.bind(str(tmp_path / ".s.PGSQL.5432"))
        door.listen(0)
        first.connect(door.getsockname())
        with pytest.raises(LOST) as refused:
            await connect(f"host={tmp_path}")
    assert is_silence(refused.value)


def test_who_is_silent_at_one_address_is_silent_whatever_another_one_says() -> None:
    """psycopg raises the error of the last address, and lists all."""
    lines = ("127.0.0.1: connection timeout expired", "::1: Network is unreachable")
    assert is_silence(psycopg.OperationalError("Multiple connection attempts failed: " + "; ".join(lines)))
    assert not is_silence(psycopg.OperationalError("connection refused"))


async def once(database: Database, query: str) -> None:
    async with database.connection() as connection:
        await fetch(connection, query)
