"""Keys: whether the database of the keys answers, without which a process carries out no command."""

from __future__ import annotations

import asyncio

from chassis.database import Database
from chassis.part import Part

LOOK_S = 1.0
"""How often is looked."""


class Keys(Part):
    """Looks by the connections that commands use; what they meet is its fault."""

    name = "keystore"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def turn(self) -> None:
        """Look once."""
        async with self._database.connection() as connection:
            await connection.execute("select 1")
        self.fault = None
        await asyncio.sleep(LOOK_S)
