"""Patience: what waits for a database that stands still is told so, and does not wait until it goes on.

A server that is frozen, cut off, or whose storage hangs closes no connection: a statement would wait for
ever. One that only takes long on a server that answers others is left alone, also while it takes nobody new.
"""

from __future__ import annotations

import asyncio
from errno import EAGAIN
from os import strerror

import structlog

from chassis.database import LOST, Database, connect
from chassis.part import Part

LOOK_S = 1.0
"""How often is looked."""

SILENT_S = 3.0
"""A statement that takes longer makes us ask whether the server answers at all, which has 5 s to do so."""

SILENT = ("connection timeout expired", strerror(EAGAIN))
"""What psycopg says of an address at which nobody answers, and the system of a socket whose line is full."""

log = structlog.get_logger(__name__)


class Patience(Part):
    """Gives the connections of a database up where something waits and the server answers nobody."""

    name = "patience"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self) -> None:
        """Look once."""
        await asyncio.sleep(LOOK_S)
        if self._database.waited_s < SILENT_S:
            return
        try:
            await (await connect(self._database.url)).close()
        except LOST as error:
            if not is_silence(error):
                return
            log.warning(
                "database_silent", waited_s=round(self._database.waited_s), error=type(error).__name__
            )
            await self._database.give_up()


def is_silence(error: Exception) -> bool:
    """Whether nobody answers who asks for a connection. Who refuses one answers: no room, a wrong password.

    Where a name has several addresses, the error is that of the last one, and tells of each. Where too many
    ask in vain at a socket of the machine, they are not even let in line.
    """
    return any(words in str(error) for words in SILENT)
