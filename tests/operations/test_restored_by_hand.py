"""A service on a server of one's own is restored by the steps of the page, and loses nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest

from chassis.config import Settings
from chassis.runtime import Role
from tests.chassis.toy import INTAKE
from tests.conftest import Run
from tests.operations.test_restoring import admin, keep, log_of, plain, restores, set_back
from tests.operations.test_topics import refer, state
from tests.readme.tour import restored_by_hand
from tests.running import Running, running_alone

pytestmark = pytest.mark.servers


async def test_a_database_that_is_restored_by_hand_as_the_page_says_loses_nothing(
    running: Run, settings: Settings
) -> None:
    """The old one publishes what waits, by a relay alone, and tells the new one how far it was."""
    async with running(INTAKE) as run:
        await refer(run, 20)
        await run.settle()
    keep(settings, "intake")
    async with running_alone(INTAKE, settings, Role.API) as run:
        await refer(run, 10)
        before = await log_of(run, "intake")
        assert (await progress(run))["relayed"] == 20
    async with running_alone(INTAKE, settings, Role.RELAY) as run, asyncio.timeout(30):
        while (found := await progress(run))["relayed"] < found["head"]:
            await asyncio.sleep(0.02)
        assert (await state(run))["state"] == "whole"
    asked, told = restored_by_hand()
    answers = [value(settings, statement) for statement in asked]
    set_back(settings, "intake")
    shown = """'{"0": 1042, "1": 987}'""", "17"
    for statement, literal, answer in zip(told, shown, answers, strict=True):
        assert literal in statement
        admin(settings, statement.replace(literal, f"'{answer}'"), database=name_of(settings))
    async with running(INTAKE) as run:
        assert plain(await log_of(run, "intake")) == before
        [event] = await restores(run, "intake")
        assert (event.imported, event.epoch) == (10, 1)


def name_of(settings: Settings) -> str:
    return f"{settings.database_prefix}_intake"


def value(settings: Settings, statement: str) -> str:
    """What a statement gives in intake's database."""
    assert settings.postgres_url
    url = psycopg.conninfo.make_conninfo(settings.postgres_url.get_secret_value(), dbname=name_of(settings))
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return json.dumps(row[0])


async def progress(run: Running) -> Any:
    return (await run.get("intake", "/internal/progress")).json()
