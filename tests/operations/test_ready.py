"""A process whose database is away or cannot serve is not ready, and works again once that is over."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx
import pytest

from chassis.config import Settings
from chassis.runtime import Role
from operations.composed import composed
from tests.chassis.toy import INTAKE
from tests.conftest import Run
from tests.operations.test_restoring import admin
from tests.running import Running

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


async def test_a_database_that_takes_no_writes_for_a_while_ends_nothing(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.group.OUTAGE_MAX_S", 0.3)
    name = f"{settings.database_prefix}_intake"
    cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    let = f"alter database {name} set default_transaction_read_only = {{}}".format
    async with running(INTAKE) as run:
        client = run.clients["intake"]
        await until_said(client, [])
        await asyncio.to_thread(admin, settings, let("on"), cut)
        await until_said(client, ["PostgreSQL: ReadOnlySqlTransaction"])
        answer = await run.post("intake", "/referrals", {"patient": str(uuid4())})
        assert (answer.status_code, answer.json()["title"]) == (503, "Unavailable")
        assert (await client.get("/metrics")).status_code == 200
        await asyncio.to_thread(admin, settings, "set default_transaction_read_only = off", let("off"), cut)
        await until_said(client, [])
        await works(run)


WITHOUT = {
    "select on pg_catalog.pg_locks from public": "PostgreSQL",
    "update on relay_mark from {role}": "relay",
    "select on timers from {role}": "timers",
    "update on members from {role}": "desk",
    "select on readings from {role}": "store-feed",
}


async def test_rights_that_are_missing_for_a_while_are_told_and_end_nothing(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.desk.LOOK_S", 0.1)
    monkeypatch.setattr("chassis.group.OUTAGE_MAX_S", 0.3)
    role = f"{settings.database_prefix}_intake"
    async with running(INTAKE) as run:
        client = run.clients["intake"]
        await until_said(client, [])
        for right, part in WITHOUT.items():
            taken = right.format(role=role)
            await asyncio.to_thread(admin, settings, f"revoke {taken}", database=role)
            assert (await run.post("intake", "/referrals", {"patient": str(uuid4())})).status_code == 201
            await until_said(client, [f"{part}: InsufficientPrivilege"])
            await asyncio.to_thread(
                admin, settings, f"grant {taken.replace(' from ', ' to ')}", database=role
            )
            await until_said(client, [])
        await works(run)


async def works(run: Running) -> None:
    """Whoever acts in a process acts: what is recorded is relayed, applied and fired."""
    answer = await run.post("intake", "/referrals", {"patient": str(uuid4())})
    assert answer.status_code == 201
    await run.settle()
