"""Preparing: the tables of projections, made where nothing was applied yet, and where new effects begin."""

from __future__ import annotations

from psycopg.sql import SQL, Identifier

from chassis.database import Connection, fetch, query
from chassis.office import Ground
from chassis.ownership import lock_number
from chassis.projection import Projection
from chassis.tables import definition


async def prepare(ground: Ground) -> None:
    """Make what is missing; one process at a time, before any handler runs.

    Tables of another version are left to who folds them anew. Raises RuntimeError where a table is missing
    that a migration makes, or that a fold of the history fills.
    """
    async with ground.database.connection() as connection:
        lock = (lock_number("projections"),)
        await connection.execute("select pg_advisory_lock(%s)", lock)
        try:
            archives = [archive.table.name for archive in ground.service.archives]
            if missing := await fetch(connection, MISSING, archives):
                raise RuntimeError(f"table {missing[0]['name']} is missing: its migration was not run")
            await connection.execute(BEGIN_EFFECTS, ([effect.name for effect in ground.service.effects],))
            begun = await fetch(connection, BEGUN)
            for projection in ground.service.projections:
                names = [table.name for table in projection.tables]
                if not begun:
                    await _make(connection, projection)
                elif missing := await fetch(connection, MISSING, names):
                    raise RuntimeError(f"table {missing[0]['name']} is missing: its history was not folded")
        finally:
            await connection.execute("select pg_advisory_unlock(%s)", lock)


async def _make(connection: Connection, projection: Projection) -> None:
    """Empty tables for a projection that no process has folded; mixed where some are there that lack it."""
    if await fetch(connection, KNOWN, projection.name()):
        return
    async with connection.transaction():
        # Nobody joins those who fold, nor moves a position, meanwhile.
        await connection.execute("lock table positions in share row exclusive mode")
        if await fetch(connection, BEGUN):
            raise RuntimeError(f"events are folded, and {projection.name()} lacks them: start it again")
        for table in projection.tables:
            await connection.execute(SQL("drop table if exists {}").format(Identifier(table.name)))
            await connection.execute(definition(table))
        await connection.execute(VERSION, {"name": projection.name(), "version": projection.version})


BEGUN, KNOWN = "select 1 from positions limit 1", "select 1 from projections where name = %s"
MISSING = b"select name from unnest(%s::text[]) as name where to_regclass(name) is null"
VERSION, BEGIN_EFFECTS = query("projection_version"), query("begin_effects")
