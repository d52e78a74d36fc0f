"""A proxy in front of a server that delays, cuts and refuses connections, or loses the answer to a commit."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from tests.faults.wire import Wire

CHUNK_BYTES = 65_536
GRACE_S = 0.02
"""In which the server carries out a commit whose answer is then lost."""


class Proxy:
    """One listening port in front of one server: ``target`` is a path of a socket, or host and port."""

    def __init__(self, target: str | tuple[str, int]) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay_s = 0.0
        self.refuses = False
        self.refused = self.delayed = 0
        """Connections that were not taken, and packets that had to wait, since the beginning."""

        self.to_lose = Counter[str]()
        """Of so many the answer is to be lost, by what they are on PostgreSQL's wire."""

        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listen on this machine."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and end every connection."""
        if self._server:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> int:
        """End every connection at once; how many sides there were."""
        found = list(self._links)
        for link in found:
            link.transport.abort()
        return len(found)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            if self.refuses:
                self.refused += 1
            else:
                await self._joined(reader, writer)
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._target, str):
            theirs, onward = await asyncio.open_unix_connection(self._target)
        else:
            theirs, onward = await asyncio.open_connection(*self._target)
        sides = {writer, onward}
        self._links |= sides
        try:
            ways = (self._pump(reader, onward, True, sides), self._pump(theirs, writer, False, sides))
            await asyncio.gather(*ways)
        finally:
            self._links -= sides
            onward.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        forth: bool,
        sides: set[asyncio.StreamWriter],
    ) -> None:
        wire = Wire() if forth and isinstance(self._target, str) else None
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                if self.delay_s:
                    self.delayed += 1
                    await asyncio.sleep(self.delay_s)
                asked = wire.asked(data) if wire else []
                writer.write(data)
                await writer.drain()
                if lost := [kind for kind in asked if self.to_lose[kind] > 0]:
                    self.to_lose[lost[0]] -= 1
                    await self._lose(sides, writer)
                    return
        for side in sides:
            side.transport.abort()

    async def _lose(self, sides: set[asyncio.StreamWriter], onward: asyncio.StreamWriter) -> None:
        """The server has the commit; its answer goes nowhere."""
        for side in sides - {onward}:
            side.transport.abort()
        await asyncio.sleep(GRACE_S)
        onward.transport.abort()
