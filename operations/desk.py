"""The desk: the rebuilds that a service's process carries out, one at a time for each projection."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import structlog

from chassis.config import database_url
from chassis.database import LOST
from chassis.office import Ground
from chassis.part import is_to_end
from chassis.projection import Projection
from operations.accepting import Acceptance
from operations.filling import Site
from operations.rebuilding import Rebuild, Running, exclusive

LOOK_S = 5.0
"""How often is looked for rebuilds that were interrupted, and for versions that wait for theirs."""

STOP_MAX_S = 10.0

PRESENT_S = 4 * LOOK_S
"""A process that was not seen for longer folds no more."""

log = structlog.get_logger(__name__)


class UnknownProjection(LookupError):
    """The service has no projection of this name."""


class Waits(Exception):
    """An older version serves until the new one is rebuilt: there is nothing to verify; says which."""

    def __init__(self, name: str, serves: int, version: int) -> None:
        super().__init__(f"{name}: version {serves} serves until {version} is rebuilt")


def due(row: dict[str, Any], mixed: bool) -> tuple[str, int] | None:
    """What a projection in this state is due to: an action and its processes; None for nothing.

    A version that waits is rebuilt, unless that was tried. ``mixed`` says that a process of another version
    folds: rebuilt now, the tables would get rows of both.
    """
    open, own = row["phase"] is not None and row["ended_at"] is None, row["run_version"] == row["version"]
    waits = _waits(row)
    if mixed and (waits or not own):
        return None
    if not waits:
        return (row["action"], row["processes"]) if open else None
    if not own or row["action"] != "rebuild":
        return "rebuild", 1
    return ("rebuild", row["processes"]) if open else None


def _waits(row: dict[str, Any]) -> bool:
    return row["serves"] not in (None, row["version"])


class Desk:
    """Starts rebuilds and tells of them; with ``resumes`` goes on with what was interrupted."""

    def __init__(self, ground: Ground, *, resumes: bool) -> None:
        service, settings = ground.service, ground.settings
        self._site = Site(service, settings, database_url(settings, service.name))
        self._ground, self._database, self._resumes = ground, ground.database, resumes
        self._tasks: set[asyncio.Task[None]] = set()
        self._member = uuid4()
        self.waiting: list[str] = []
        """Each projection whose older version serves, as it was seen last, in words."""

    async def __aenter__(self) -> Desk:
        if self._resumes:
            self._keep(asyncio.create_task(self._resume()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_MAX_S)
        with suppress(*LOST):
            await self._database.rows(LEAVE, self._member)

    def names(self) -> list[str]:
        """The names of the service's projections."""
        return [projection.name() for projection in self._site.service.projections]

    def projection(self, name: str) -> Projection:
        """A projection by its name. Raises UnknownProjection."""
        for projection in self._site.service.projections:
            if projection.name() == name:
                return projection
        raise UnknownProjection(name)

    async def start(
        self,
        name: str,
        action: str,
        processes: int,
        seen: dict[str, Any] | None = None,
        acceptance: Acceptance | None = None,
    ) -> None:
        """Start one, unless its state is another than was ``seen``; one that was seen is gone on with.

        Raises UnknownProjection, Running, and Waits for a verification, or a difference that is to be
        accepted, where an older version serves.
        """
        projection = self.projection(name)
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(exclusive(self._site, projection))
            # The one that ran when it was looked at may have ended before the lock was got.
            now = await self.state(name)
            if seen and (now["run"], now["ended_at"]) != (seen["run"], seen["ended_at"]):
                return
            if (action == "verify" or acceptance) and _waits(now):
                raise Waits(name, now["serves"], now["version"])
            rebuild = Rebuild(self._site, projection, connection, self._ground)
            await rebuild.plan(action, processes, acceptance, resumes=seen is not None)
            self._keep(asyncio.create_task(_carried_out(name, rebuild, stack.pop_all())))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resume(self) -> None:
        while not is_to_end():
            try:
                await self._look()
            except LOST as error:
                log.warning("looking_failed", error=type(error).__name__)
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        mixed = await self._mixed()
        states = await self.states()
        self.waiting = [
            str(Waits(row["name"], row["serves"], row["version"])) for row in states if _waits(row)
        ]
        for row in states:
            if begun := due(row, row["name"] in mixed):
                with suppress(Running, Waits):
                    await self.start(row["name"], *begun, row)

    async def _mixed(self) -> set[str]:
        """Projections that a process folds by another version: rebuilt now, they would get rows of both."""
        own = [f"fold:{each.name()}:{each.version}" for each in self._site.service.projections]
        await self._database.rows(ANNOUNCE, self._member, own)
        return {row["name"] for row in await self._database.rows(MIXED, own, PRESENT_S)}

    async def states(self) -> list[dict[str, Any]]:
        """Each projection: its versions, tables and size, and its last or present rebuild."""
        projections = self._site.service.projections
        found = {row["name"]: row for row in await self._database.rows(STATES)}
        return [
            {
                "name": projection.name(),
                "service": self._site.service.name,
                "version": projection.version,
                **found.get(projection.name(), NOTHING),
                "tables": [await self._size(table.name) for table in projection.tables],
            }
            for projection in projections
        ]

    async def state(self, name: str) -> dict[str, Any]:
        """One of them. Raises UnknownProjection."""
        self.projection(name)
        return next(each for each in await self.states() if each["name"] == name)

    async def _size(self, table: str) -> dict[str, Any]:
        row = await self._database.row(SIZE, table)
        assert row is not None
        return {"name": table, **row}


async def _carried_out(name: str, rebuild: Rebuild, held: AsyncExitStack) -> None:
    """Carry a rebuild out, then let go of its lock; what ends it before its end leaves it interrupted."""
    async with held:
        try:
            await rebuild.carry_out()
        except (Running, *LOST) as error:
            log.warning("rebuild_interrupted", projection=name, error=type(error).__name__)
        except Exception as error:
            log.exception("rebuild_broke", projection=name, error=type(error).__name__)
            await rebuild.give_up(type(error).__name__)


ANNOUNCE = b"""
insert into members (role, member) select role, %s from unnest(%s::text[]) as role
on conflict (role, member) do update set seen_at = clock_timestamp()
returning role
"""
MIXED = b"""
select distinct split_part(role, ':', 2) as name from members
where role like 'fold:%%' and role <> all(%s) and seen_at > clock_timestamp() - make_interval(secs => %s)
"""
LEAVE = b"delete from members where member = %s returning role"
FIELDS = ("serves", "run", "action", "run_version", "processes", "phase", "total", "done", "started_at",
          "ended_at", "outcome", "accepted", "seconds")  # fmt: skip
NOTHING: dict[str, Any] = dict.fromkeys(FIELDS)

STATES = b"""
select p.name, p.version as serves, r.run, r.action, r.version as run_version, r.processes, r.phase, r.total,
    (
        select coalesce(sum(passed), 0)::bigint from rebuild_places d where d.projection = p.name
    ) as done,
    r.started_at, r.ended_at, r.outcome, r.accepted - '{reason,run}'::text[] as accepted,
    extract(epoch from coalesce(r.ended_at, clock_timestamp()) - r.started_at)::float as seconds
from projections p left join rebuilds r on r.projection = p.name
"""
SIZE = b"""
select nullif(c.reltuples, -1)::bigint as rows_about, pg_total_relation_size(c.oid) as bytes
from pg_class c where c.oid = to_regclass('public.' || quote_ident(%s))
"""
