"""A process whose database is away is not ready, whatever its role, and is again once that is back."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from chassis.config import Settings
from chassis.runtime import Role
from operations.composed import composed
from tests.chassis.toy import INTAKE
from tests.conftest import Run
from tests.operations.test_restoring import admin

pytestmark = pytest.mark.servers


async def until_said(client: httpx.AsyncClient, faults: list[str]) -> None:
    async with asyncio.timeout(20):
        while (await client.get("/health/ready")).json()["faults"] != faults:
            await asyncio.sleep(0.05)


async def test_a_process_without_its_database_is_not_ready(running: Run, settings: Settings) -> None:
    """Where it follows its own store alone, and where it only answers requests."""
    name = f"{settings.database_prefix}_intake"
    let = "alter database {} with allow_connections {}".format
    async with running(INTAKE) as run:
        app = composed(INTAKE, settings, Role.API)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as answering,
        ):
            both = (run.clients["intake"], answering)
            for client in both:
                await until_said(client, [])
            cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
            admin(settings, let(name, "false"), cut)
            try:
                for client in both:
                    await until_said(client, ["PostgreSQL: OperationalError"])
                    assert (await client.get("/health/ready")).status_code == 503
            finally:
                admin(settings, let(name, "true"))
            for client in both:
                await until_said(client, [])
