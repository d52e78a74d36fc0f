"""A service's process: what each role runs, started and stopped together."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from caretrail_contracts.catalogue import all_events
from caretrail_contracts.envelope import topic_of

from chassis.clock import clock_of
from chassis.config import Settings, database_url
from chassis.database import Database, query
from chassis.executor import Executor
from chassis.feeds import StoreFeed, TopicFeed
from chassis.group import PostgresStore
from chassis.kafka import assert_fast
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.part import Part
from chassis.postgres import Appender
from chassis.preparing import prepare
from chassis.relay import Relay
from chassis.service import Service
from chassis.store import Origin
from chassis.timers import Timers
from chassis.watching import Watcher
from keystore.doors import Doors
from keystore.keys import Keystore, master_of

if TYPE_CHECKING:
    from chassis.effects import Effects

log = structlog.get_logger(__name__)

STOP_MAX_S = 15.0
"""How long the parts of a process may take to stop."""


class Role(StrEnum):
    """What a process does; ``all`` by default."""

    ALL = "all"
    API = "api"
    RELAY = "relay"
    CONSUMERS = "consumers"
    TIMERS = "timers"

    def includes(self, other: Role) -> bool:
        """Whether a process of this role does the other's work."""
        return self in (Role.ALL, other)


class Runtime:
    """A running service; use with ``async with``. Its fields are set once it is entered.

    ``seen`` are the versions of its read models that were seen to serve, where somebody looked: it starts
    only while these, or its own, do.
    """

    ground: Ground
    origin: Origin
    ownership: Ownership
    databases: tuple[Database, ...]
    """The service's own and the keystore's."""

    def __init__(
        self, service: Service, settings: Settings, role: Role = Role.ALL, seen: list[str] | None = None
    ) -> None:
        self.service, self.settings, self.role, self._seen = service, settings, role, seen
        self._stack = AsyncExitStack()
        self.parts: list[Part] = []
        self.feeds: list[StoreFeed | TopicFeed] = []
        self.effects: Effects | None = None
        self.timers: Timers | None = None
        self.watchers: list[Watcher] = []

    async def __aenter__(self) -> Runtime:
        assert_fast()
        all_events()
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        for part in self.parts:
            await part.__aenter__()
        log.info("started", role=self.role.value, topic=self.ground.topic)
        return self

    async def __aexit__(self, *exit: object) -> None:
        tasks = [part.task for part in self.parts if part.task]
        for task in tasks:
            task.cancel()
        if tasks and (stuck := (await asyncio.wait(tasks, timeout=STOP_MAX_S))[1]):
            log.error("parts_stuck", parts=sorted(task.get_name() for task in stuck))
        await self._stack.aclose()
        log.info("stopped", role=self.role.value)

    async def _build(self) -> None:
        settings, name = self.settings, self.service.name
        self.origin = Origin(
            name, settings.cell, settings.organisation, settings.program, settings.sensitivity
        )
        database = await self._stack.enter_async_context(Database(database_url(settings, name)))
        keys = await self._stack.enter_async_context(Database(database_url(settings, "keystore")))
        self.databases = database, keys
        [row] = await database.rows(EPOCH, self.origin.source)
        store = await self._stack.enter_async_context(PostgresStore(database, Appender(self.origin, **row)))
        clock = clock_of(settings.clock_file)
        executor = Executor(store, self.service.handlers, clock, self.service.options)
        doors = Doors(Keystore(keys.rows, master_of(settings.secrets)), name)
        self.ground = Ground(self.service, settings, database, store, executor, doors, clock)
        await prepare(self.ground)
        if self.service.effects:
            # FastStream is slow to import: services without effects do without it.
            from chassis.effects import Effects

            self.effects = Effects(self.ground)
        self.ownership = Ownership(database.url, name)
        if self.role.includes(Role.RELAY):
            self.parts.append(Relay(self.ground, self.ownership))
        if self.role.includes(Role.CONSUMERS):
            await database.rows(JOIN, self.ground.member, self.service.versions(), self._seen)
            topics = [topic_of(source, settings.topic_prefix) for source in self.service.sources()]
            self.feeds.append(StoreFeed(self.ground, self.ownership))
            if topics:
                self.feeds.append(TopicFeed(self.ground, self.ownership, topics))
            self.parts += [*self.feeds, *([self.effects] if self.effects else ())]
        if self.role.includes(Role.TIMERS):
            self.timers = Timers(self.ground, self.ownership)
            self.watchers = [Watcher(self.ground, watch, self.ownership) for watch in self.service.watches]
            self.parts += [self.timers, *self.watchers]
        # Also where it holds nothing: its looks tell of a database that is away.
        await self._stack.enter_async_context(self.ownership)


EPOCH, JOIN = query("epoch"), b"select join_folding(%s, %s, %s::text[])"
