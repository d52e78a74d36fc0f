"""Services running in the test's own process, on real Kafka and PostgreSQL, asked over ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from fastapi import FastAPI
from psycopg.conninfo import make_conninfo

from chassis.config import Settings
from chassis.runtime import Role, Runtime
from chassis.service import Service
from deploy import migration
from deploy.local.progress import heads_for, waiting
from deploy.migration import KEYS, KEYSTORE, migrate
from deploy.topics import make_topics
from operations.composed import composed

ROOT = Path(__file__).parent.parent
SETTLE_MAX_S = 30.0


@dataclass
class Running:
    """Running services by name: an HTTP client each, and the runtime behind it."""

    settings: Settings
    clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)
    apps: dict[str, FastAPI] = field(default_factory=dict)

    def runtime(self, service: str) -> Runtime:
        """The runtime of a service."""
        found: Runtime = self.apps[service].state.runtime
        return found

    async def post(
        self, service: str, path: str, body: Any = None, key: str = "", **headers: str
    ) -> httpx.Response:
        """Send a command with a new idempotency key, unless one is given."""
        sent = {**STAFF, "Idempotency-Key": key or uuid4().hex, **headers}
        if isinstance(body, bytes | str):
            return await self.clients[service].post(path, content=body, headers=sent)
        return await self.clients[service].post(path, json=body, headers=sent)

    async def get(self, service: str, path: str, **headers: str) -> httpx.Response:
        """Ask."""
        return await self.clients[service].get(path, headers={**STAFF, **headers})

    async def settle(self) -> None:
        """Wait until every event is relayed and consumed and nothing is under way, seen twice unchanged."""
        before: Any = None
        async with asyncio.timeout(SETTLE_MAX_S):
            while True:
                now = {name: await app.state.progress.now() for name, app in self.apps.items()}
                if settled(now) and now == before:
                    return
                before = now
                await asyncio.sleep(0.03)


def settled(progress: dict[str, Any]) -> bool:
    """Whether every head is relayed and consumed, with no timer due and nothing under way."""
    return not any(waiting(own, heads_for(own, progress)) for own in progress.values())


STAFF = {"Caretrail-Actor": "staff-1;coordinator", "Caretrail-Purpose": "TREAT"}


@asynccontextmanager
async def running_services(services: Sequence[Service], settings: Settings) -> AsyncIterator[Running]:
    """Migrate and run services; stop them at the end of the block."""
    folders = {service.name: _own(service.name) for service in services}
    followed = {name for service in services for name in (service.name, *service.sources())}
    await asyncio.gather(
        asyncio.to_thread(migrate, settings, folders),
        asyncio.to_thread(make_topics, settings.kafka_bootstrap, sorted(followed), settings.topic_prefix),
    )
    found = Running(settings)
    async with AsyncExitStack() as stack:
        for service in services:
            app = composed(service, settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://service")
            found.apps[service.name] = app
            found.clients[service.name] = await stack.enter_async_context(client)
        yield found


@asynccontextmanager
async def running_alone(service: Service, settings: Settings, role: Role) -> AsyncIterator[Running]:
    """One service in one role, as migrated before, with no process of another."""
    app = composed(service, settings, role)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield Running(settings, {service.name: client}, {service.name: app})


def _own(service: str) -> list[Path]:
    return [ROOT / "services" / service / "migrations"]


def copied(settings: Settings, services: Sequence[Service]) -> None:
    """Let each database that is missing begin as a copy of one that was migrated once for the whole run.

    Migration then finds its tables there, and has roles and grants left to make.
    """
    assert settings.postgres_url
    admin = settings.postgres_url.get_secret_value()
    with psycopg.connect(admin, autocommit=True) as connection:
        there = {name for (name,) in connection.execute("select datname from pg_database")}
        for service in (*(each.name for each in services), KEYS):
            name, template = f"{settings.database_prefix}_{service}", f"migrated_{service}"
            if name not in there:
                if template not in there:
                    _make_template(connection, admin, template, service)
                connection.execute(f"create database {name} template {template} strategy file_copy".encode())


def _make_template(connection: psycopg.Connection, admin: str, template: str, service: str) -> None:
    """Migrate a database of no role, by one worker while others wait; it has its name once it is whole."""
    connection.execute("select pg_advisory_lock(hashtext('templates'))")
    if connection.execute("select from pg_database where datname = %s", (template,)).fetchone() is None:
        connection.execute(f"drop database if exists {template}_new".encode())
        connection.execute(f"create database {template}_new".encode())
        folders = [KEYSTORE] if service == KEYS else migration._folders(_own(service))
        address = make_conninfo(admin, dbname=f"{template}_new")
        with psycopg.connect(address, autocommit=True) as made:
            migration._tables(made, address, folders)
        connection.execute(f"alter database {template}_new allow_connections false".encode())
        connection.execute(f"alter database {template}_new rename to {template}".encode())
    connection.execute("select pg_advisory_unlock(hashtext('templates'))")
