"""The desk: the rebuilds that a service's process carries out, one at a time for each projection."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any, Self

import structlog

from chassis.config import database_url
from chassis.database import LOST
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.part import Part, is_to_end
from chassis.projection import Projection
from operations import members
from operations.accepting import Acceptance
from operations.filling import Site
from operations.rebuilding import Rebuild, Running, exclusive

LOOK_S = 5.0
"""How often is looked for rebuilds that were interrupted, and for versions that wait for theirs."""

STOP_MAX_S = 10.0

log = structlog.get_logger(__name__)


class UnknownProjection(LookupError):
    """The service has no projection of this name."""


class Waits(Exception):
    """What serves until a version is rebuilt is another, or mixed: there is nothing to verify; says which."""

    def __init__(self, name: str, serves: int, version: int) -> None:
        what = (
            f"version {serves} serves"
            if serves != version
            else "what another release folded, or lacks, serves"
        )
        super().__init__(f"{name}: {what} until {version} is rebuilt")


class Mixed(Exception):
    """Processes of another release fold as well: rebuilt now, the tables would be wrong again at once."""


def due(row: dict[str, Any], mixed: bool) -> tuple[str, int] | None:
    """What a projection in this state is due to: an action and its processes; None for nothing.

    A version that waits is rebuilt, unless that was tried since it waits; a mark, unless a run was begun for
    it. ``mixed`` says that a process of another release folds: rebuilt now, the tables would get rows of
    both. A newer version's run is left to its own processes: one may be folding it before it starts.
    """
    open, own = row["phase"] is not None and row["ended_at"] is None, row["run_version"] == row["version"]
    if mixed:
        return None
    if not _waits(row):
        return (row["action"], row["processes"]) if open and row["run_version"] <= row["version"] else None
    if not own or row["action"] != "rebuild":
        return "rebuild", 1
    if open:
        return "rebuild", row["processes"]
    return ("rebuild", 1) if row["mixed_at"] and row["mixed_at"] != row["run_mixed_at"] else None


def _waits(row: dict[str, Any]) -> bool:
    return row["serves"] is not None and (row["serves"] != row["version"] or row["mixed_at"] is not None)


class Desk(Part):
    """Starts rebuilds and tells of them; with ``resumes`` goes on with what was interrupted."""

    name = "desk"

    def __init__(self, ground: Ground, ownership: Ownership, *, resumes: bool) -> None:
        service, settings = ground.service, ground.settings
        self._site = Site(service, settings, database_url(settings, service.name))
        self._ground, self._database, self._resumes = ground, ground.database, resumes
        self._ownership = ownership
        self._tasks: set[asyncio.Task[None]] = set()
        self.waiting: list[str] = []
        """Each projection that waits for its rebuild, as it was seen last, in words."""

    async def __aenter__(self) -> Self:
        return await super().__aenter__() if self._resumes else self

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_MAX_S)

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

        Raises UnknownProjection, Running, Mixed while processes of another release fold, and Waits for a
        verification, or a difference that is to be accepted, where an older version serves.
        """
        projection = self.projection(name)
        if self._is_struck_off() or name in await members.look(self._database, self._ground.service):
            raise Mixed(name)
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

    async def turn(self) -> None:
        """Say that this process is there, and look what is to be rebuilt; struck off, it looks no more."""
        if not self._is_struck_off():
            if await members.is_seen(self._database, self._ground.member):
                await self._look()
                self.fault = None
            else:
                await self._stand_aside()
        await asyncio.sleep(0 if is_to_end() else LOOK_S)

    def _is_struck_off(self) -> bool:
        return self.fault == STRUCK_OFF

    async def _look(self) -> None:
        mixed = await members.look(self._database, self._ground.service)
        states = await self.states()
        self.waiting = [
            str(Waits(row["name"], row["serves"], row["version"])) for row in states if _waits(row)
        ]
        for row in states:
            if begun := due(row, row["name"] in mixed):
                with suppress(Running, Waits, Mixed):
                    await self.start(row["name"], *begun, row)

    async def _stand_aside(self) -> None:
        """Taken for dead while a read model was replaced: the locks, and the work under them, are for others.

        Begun anew this process may fold again, as one of its version that joins.
        """
        self.fault, self.minor = STRUCK_OFF, False
        log.error("struck_off", member=str(self._ground.member))
        await self._ownership.__aexit__()

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
            with suppress(Running, *LOST):
                await rebuild.give_up(type(error).__name__)


STRUCK_OFF = (
    "this process was taken for dead while a read model was replaced by another release's: it folds no "
    "more, and leaves relay, timers and partitions to others; stop it, or start it anew"
)

FIELDS = ("serves", "mixed_at", "run", "action", "run_version", "run_mixed_at", "processes", "phase", "total",
          "done", "started_at", "ended_at", "outcome", "accepted", "seconds")  # fmt: skip
NOTHING: dict[str, Any] = dict.fromkeys(FIELDS)

STATES = b"""
select p.name, p.version as serves, p.mixed_at,
    r.run, r.action, r.version as run_version, r.mixed_at as run_mixed_at, r.processes, r.phase, r.total,
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
