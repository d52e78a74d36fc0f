"""Starting: what must be right with a service's read models before its process serves."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Composable, Identifier

from chassis.config import Settings, database_url
from chassis.database import Connection, fetch
from chassis.preparing import BEGUN
from chassis.projection import Projection, Table
from chassis.service import Service
from operations import shadows
from operations.filling import LOCK_WAIT, Site
from operations.holding import holding, while_held
from operations.processes import Failed
from operations.rebuilding import SWAPS_MAX, Rebuild, exclusive

PAUSE_S = 1.0
"""How long those who wait behind a new column may go on before it is tried again."""

log = structlog.get_logger(__name__)


async def first(service: Service, settings: Settings) -> list[str]:
    """The versions that serve, once each projection has tables that can; one process at a time looks.

    Tables of an older version serve on, with the columns that are new, until a rebuild replaces them. Those
    that cannot (there are none, or key or types changed) are folded now. Raises Failed.
    """
    site = Site(service, settings, database_url(settings, service.name))
    async with holding(site.database, "projections", f"{service.name}:starting", waits=True) as connection:
        await while_held(connection, _all_ready(site, connection))
        return [f"{name}:{version}" for name, version in (await _known(connection)).items()]


async def _all_ready(site: Site, connection: Connection) -> None:
    """Where nothing was applied yet, the tables of a projection that is new are made later, empty."""
    known, begun = await _known(connection), await fetch(connection, BEGUN)
    for projection in site.service.projections:
        name = projection.name()
        if known.get(name) != projection.version and (begun or name in known):
            await _made_ready(site, projection, connection, name in known)


async def _known(connection: Connection) -> dict[str, int]:
    return {row["name"]: row["version"] for row in await fetch(connection, "select * from projections")}


async def _made_ready(site: Site, projection: Projection, connection: Connection, folded: bool) -> None:
    name, version = projection.name(), projection.version
    if folded and all([await shadows.serves(connection, table) for table in projection.tables]):
        await _widen(connection, projection)
        log.info("projection_serves_older_version", projection=name, version=version)
        return
    log.info("projection_is_folded_before_the_start", projection=name, version=version)
    # An older process may be rebuilding it by its version: that ends first.
    async with exclusive(site, projection, waits=True) as held:
        rebuild = Rebuild(site, projection, held, alone=folded)
        if await rebuild.known_version() == version:
            return
        await rebuild.plan("rebuild", 1)
        outcome = await rebuild.carry_out()
    if outcome["outcome"] != "swapped":
        raise Failed(f"version {version} of {name} could not be folded: {_why(outcome)}")


def _why(outcome: dict[str, Any]) -> str:
    """An outcome in words, for who sees nothing but that the service does not start."""
    if outcome["outcome"] == "failed":
        return str(outcome["why"])
    events = [each["event"]["id"] for each in outcome["differences"] if each["event"]]
    at = f", first at the event {events[0]}" if events else ""
    return f"two folds of one history differ{at}: it must not depend on the order of keys, nor on batches"


async def _widen(connection: Connection, projection: Projection) -> None:
    """Add the columns that are new; those that are no longer declared stay, unused. Raises Failed.

    It waits for who reads a table, as long as a swap would: others wait behind it.
    """
    for table in projection.tables:
        if not (added := [_added(table, name) for name in await shadows.lacking(connection, table)]):
            continue
        statement = SQL("alter table {} {}").format(Identifier(table.name), SQL(", ").join(added))
        for _ in range(SWAPS_MAX):
            try:
                async with connection.transaction():
                    await connection.execute(LOCK_WAIT)
                    await connection.execute(statement)
                break
            except LockNotAvailable:
                log.info("start_waits_for_readers", projection=projection.name(), table=table.name)
                await asyncio.sleep(PAUSE_S)
        else:
            raise Failed(f"readers of {table.name} never let go of it, and it lacks columns: start again")


def _added(table: Table, name: str) -> Composable:
    rule = SQL("not null default 0" if name in table.counters else "")
    kind = SQL(table.columns[name])
    return SQL("add column if not exists {} {} {}").format(Identifier(name), kind, rule)
