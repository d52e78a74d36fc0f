"""Starting: what must be right with a service's read models before its process serves."""

from __future__ import annotations

import structlog
from psycopg.sql import SQL, Identifier

from chassis.config import Settings, database_url
from chassis.database import Connection, connect, fetch
from chassis.ownership import lock_number
from chassis.projection import Projection
from chassis.service import Service
from operations import shadows
from operations.filling import Site
from operations.processes import Failed
from operations.rebuilding import Rebuild

log = structlog.get_logger(__name__)


async def first(service: Service, settings: Settings) -> None:
    """See that each projection has tables that can serve; one process of the service at a time.

    Tables of an older version serve on, with the columns that are new, until a rebuild replaces them. Those
    that cannot (there are none, or key or types changed) are folded now. Raises Failed.
    """
    site = Site(service, settings, database_url(settings, service.name))
    connection = await connect(site.url)
    try:
        if not await fetch(connection, "select 1 from positions limit 1"):
            return
        await connection.execute("select pg_advisory_lock(%s)", (lock_number("projections"),))
        known = {row["name"]: row["version"] for row in await fetch(connection, "select * from projections")}
        for projection in service.projections:
            if known.get(projection.name()) != projection.version:
                await _made_ready(site, projection, connection, projection.name() in known)
    finally:
        await connection.close()


async def _made_ready(site: Site, projection: Projection, connection: Connection, folded: bool) -> None:
    if folded and await _serves(connection, projection):
        await _widen(connection, projection)
        log.info("projection_serves_older_version", projection=projection.name(), version=projection.version)
        return
    rebuild = Rebuild(site, projection, connection, alone=folded)
    await rebuild.plan("rebuild", 1)
    outcome = await rebuild.carry_out()
    if outcome["outcome"] != "swapped":
        raise Failed(f"{projection.name()} could not be folded", **outcome)


async def _serves(connection: Connection, projection: Projection) -> bool:
    """Whether the tables that are there have the declared keys, and no column of another type."""
    for table in projection.tables:
        rows = await fetch(connection, COLUMNS, f'{shadows.LIVE}."{table.name}"')
        found = {row["name"]: row["type"] for row in rows}
        key = [row["name"] for row in rows if row["in_key"]]
        kinds = {name: await _type(connection, kind) for name, kind in table.columns.items() if name in found}
        if sorted(key) != sorted(table.key) or any(found[name] != kind for name, kind in kinds.items()):
            return False
    return True


async def _type(connection: Connection, kind: str) -> str:
    (row,) = await fetch(connection, "select %s::regtype::text as type", kind)
    return str(row["type"])


async def _widen(connection: Connection, projection: Projection) -> None:
    """Add the columns that are new; those that are no longer declared stay, unused."""
    for table in projection.tables:
        for part, rule in ((table.values, ""), (table.counters, "not null default 0")):
            for name, kind in part.items():
                added = SQL("alter table {} add column if not exists {} {} {}").format(
                    Identifier(table.name), Identifier(name), SQL(kind), SQL(rule)
                )
                await connection.execute(added)


COLUMNS = b"""
select a.attname as name, a.atttypid::regtype::text as type,
    coalesce(a.attnum = any(i.indkey), false) as in_key
from pg_attribute a
left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
"""
