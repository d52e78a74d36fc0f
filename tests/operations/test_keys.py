"""A process tells that the database of the keys is away, until it answers again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import psycopg
import pytest

from chassis.database import Database
from operations.keys import Keys


class Away:
    """A database that is away for as long as ``away`` is set."""

    away = True

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Away]:
        """A connection, where it is there."""
        if self.away:
            raise psycopg.OperationalError
        yield self

    async def execute(self, query: str) -> None:
        """Answer."""


async def test_that_it_is_away_is_told_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.part.PAUSE_S", 0.01)
    database = Away()
    async with asyncio.timeout(10), Keys(cast(Database, database)) as keys:
        while keys.fault is None:
            await asyncio.sleep(0.01)
        assert keys.fault == "OperationalError"
        assert not keys.minor
        database.away = False
        while keys.fault is not None:
            await asyncio.sleep(0.01)
