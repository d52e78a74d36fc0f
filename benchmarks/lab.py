"""The lab: real servers in a home of their own, fresh databases and topics, services in processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from benchmarks.sizes import Sizes
from chassis.config import Settings
from chassis.runtime import Role, Runtime
from chassis.service import Service
from deploy.local import postgres
from deploy.local.ports import free_port
from deploy.local.programs import migrations
from deploy.local.stack import servers
from deploy.local.supervisor import Program, Supervisor
from deploy.migration import migrate
from deploy.topics import make_topics

KEPT = "kept"
"""Prefix of the databases that outlive a run: the large data sets."""


STAMPED = {"track_commit_timestamp": "on"}
"""PostgreSQL keeps the time of each commit: latency from commit to commit needs no polling then."""

SIZED = {"shared_buffers": "2GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}
"""As one would size a server of its own for such logs, for both sides; the local stack is smaller."""


@dataclass
class Lab:
    """Where everything is measured: both sides on the same servers."""

    home: Path
    sizes: Sizes
    kafka: str
    postgres: str
    supervisor: Supervisor
    memo: dict[str, Any] = field(default_factory=dict)
    """What several parts need, made once in a run."""

    def settings(self, name: str) -> Settings:
        """Settings of databases, topics and secrets of one part's own."""
        prefix = name.replace("-", "_")
        return Settings(
            home=self.home / name,
            kafka_bootstrap=self.kafka,
            postgres_url=self.postgres,
            topic_prefix=prefix,
            database_prefix=prefix,
            log_level="ERROR",
        )

    async def prepare(self, name: str, *services: str, topics: bool = False) -> Settings:
        """Make databases, and topics where they are wanted."""
        settings = self.settings(name)
        folders = {service: migrations()[service] for service in services}
        await asyncio.to_thread(migrate, settings, folders)
        if topics:
            await self.topics(settings.topic_prefix, services)
        return settings

    async def topics(self, prefix: str, services: Iterable[str]) -> None:
        """Make the topics of services."""
        await asyncio.to_thread(make_topics, self.kafka, sorted(services), prefix)

    @asynccontextmanager
    async def runtime(self, service: Service, settings: Settings, role: Role) -> AsyncIterator[Runtime]:
        """A service of this process."""
        async with Runtime(service, settings, role) as runtime:
            yield runtime

    def admin(self, settings: Settings, service: str) -> psycopg.Connection:
        """An administrator's connection to a service's database, to prepare and to look."""
        url = make_conninfo(self.postgres, dbname=f"{settings.database_prefix}_{service}")
        return psycopg.connect(url, autocommit=True)

    def database(self, name: str) -> str:
        """A fresh database of a reference; its address."""
        with psycopg.connect(self.postgres, autocommit=True) as admin:
            admin.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
            admin.execute(SQL("create database {}").format(Identifier(name)))
        return make_conninfo(self.postgres, dbname=name)

    async def serve(self, name: str, settings: Settings, role: Role = Role.ALL) -> tuple[str, int]:
        """A service in a process of its own, as `caretrail run` starts it: its address, and its process."""
        port = free_port()
        env = {**environment(settings), "CARETRAIL_PORT": str(port)}
        argv = (sys.executable, "-m", "benchmarks.serving", name, "--role", role.value)
        title = f"{settings.topic_prefix}-{name}"
        url = f"http://127.0.0.1:{port}"
        await self.supervisor.start(Program(title, argv, env, f"{url}/health/ready", port))
        process = self.supervisor.children[-1].process
        assert process is not None
        return url, process.pid

    async def stop_served(self) -> None:
        """Stop the services; the servers go on."""
        await self.supervisor.stop(keep=1)

    def drop(self) -> None:
        """Drop every database and role but the servers' own and those that are kept, and every topic.

        A topic that outlived its database would be taken for what a store that was set back has lost.
        """
        broker = AdminClient({"bootstrap.servers": self.kafka, "log_level": 2})
        if topics := [name for name in broker.list_topics(timeout=30).topics if not name.startswith("__")]:
            for gone in broker.delete_topics(topics, request_timeout=30).values():
                gone.result()
        with psycopg.connect(self.postgres, autocommit=True) as admin:
            databases = admin.execute(OURS, {"kept": f"{KEPT}%"}).fetchall()
            for (name,) in databases:
                admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))
                admin.execute(SQL("drop role if exists {}").format(Identifier(name)))


async def output(module: str, *arguments: object, env: dict[str, str] | None = None) -> dict[str, Any]:
    """What a module of this package, run as a process of its own, prints as JSON. Raises RuntimeError."""
    argv = (sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *argv, env={**os.environ, **(env or {})}, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} failed: {err.decode()[-800:]}")
    found: dict[str, Any] = json.loads(out)
    return found


def environment(settings: Settings) -> dict[str, str]:
    """What a service's process finds in its environment."""
    return {
        "CARETRAIL_HOME": str(settings.home),
        "CARETRAIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "CARETRAIL_POSTGRES_URL": "",
        "CARETRAIL_TOPIC_PREFIX": settings.topic_prefix,
        "CARETRAIL_DATABASE_PREFIX": settings.database_prefix,
        "CARETRAIL_LOG_LEVEL": settings.log_level,
    }


@asynccontextmanager
async def lab(home: Path, sizes: Sizes) -> AsyncIterator[Lab]:
    """Start the servers of a home; stop them at the end of the block."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(home)
    try:
        url = await asyncio.to_thread(postgres.start, home, postgres.SETTINGS | STAMPED | SIZED)
        found = await servers(home, Settings(home=home, kafka_bootstrap="", postgres_url=url))
        await supervisor.start(*found.embedded)
        made = Lab(home, sizes, found.kafka_bootstrap, found.postgres_url, supervisor)
        made.drop()
        yield made
        await made.stop_served()
        made.drop()
    finally:
        await supervisor.stop()
        await asyncio.to_thread(postgres.stop, home)


OURS = """
select datname from pg_database
where not datistemplate and datname <> 'postgres' and datname not like %(kept)s
"""
