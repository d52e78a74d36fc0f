"""A stage for journeys: a stack with a home, databases and topics of its own, on which a cohort is played."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from rich.console import Console

from chassis.clock import SharedClock
from chassis.config import Settings
from deploy.local import stack
from deploy.local.demo import play
from deploy.local.demo.driver import Driver
from tests.homes import HOMES


@dataclass
class Stage:
    """A stack of its own, up; ``figures`` is filled by the play."""

    settings: Settings
    stack: stack.Stack
    clock: SharedClock
    seed: int
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Where everything of the stack lies that is in no database and on no topic."""
        return self.stack.home

    def database(self, name: str) -> str:
        """A superuser's address of a service's database, or of the ``keystore``."""
        prefix = self.settings.database_prefix
        return psycopg.conninfo.make_conninfo(self.stack.servers.postgres_url, dbname=f"{prefix}_{name}")

    async def play(self, patients: int, weeks: int) -> None:
        """Play the cohort of the stage's seed to its end."""
        console = Console(file=io.StringIO())
        self.figures = await play.play(self.stack, self.clock, patients, weeks, self.seed, console)
        async with Driver(self.stack.urls, self.clock, self.home / "payer", "journey") as driver:
            await driver.kept()


@asynccontextmanager
async def staged(servers: dict[str, str], seed: int, apart: Collection[str] = ()) -> AsyncIterator[Stage]:
    """A stack on the run's servers; its home, databases and roles are removed afterwards."""
    name = f"j{uuid4().hex[:12]}"
    settings = Settings(
        home=Path(tempfile.mkdtemp(prefix="caretrail-journey-", dir=HOMES)),
        kafka_bootstrap=servers["kafka"],
        postgres_url=servers["postgres"],
        topic_prefix=name,
        database_prefix=name,
    )
    async with AsyncExitStack() as ending:
        ending.callback(shutil.rmtree, settings.home, ignore_errors=True)
        ending.callback(drop, servers["postgres"], name)
        clock = SharedClock(settings.home / "clock", create=play.BEGINS)
        up = await ending.enter_async_context(stack.up(settings, clock=clock, seed=seed, apart=apart))
        yield Stage(settings, up, clock, seed)


def drop(postgres: str, prefix: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as admin:
        found = admin.execute("select datname from pg_database where datname like %s", (f"{prefix}%",))
        for (name,) in found.fetchall():
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))
