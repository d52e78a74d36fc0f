"""Members: the processes that fold a service's read models, each with the versions that it folds.

Each was entered before it moved its first position. Who was not seen for long when a read model is
replaced is struck off, and moves none from then on: were it only frozen, it would fold into tables that it
does not know.
"""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from chassis.database import LOST, Connection, Database, connect
from chassis.office import Ground
from chassis.preparing import VERSION
from chassis.service import Service


async def look(database: Database, service: Service) -> set[str]:
    """The projections that a process folds by another version, or lacks, beside this service's own.

    That their rows are of several releases from now on is kept in the database.
    """
    await database.rows("select mark_mixed()")
    names, versions = (
        [each.name() for each in service.projections],
        [each.version for each in service.projections],
    )
    return {row["name"] for row in await database.rows(MIXED, names, versions)}


async def is_seen(database: Database, member: UUID) -> bool:
    """Say that this one is there; whether it still belongs to them."""
    return bool(await database.rows(SEEN, member))


async def leave(ground: Ground) -> None:
    """This one folds no more: where the database is away, that is seen in a while."""
    with suppress(*LOST):
        connection = await connect(ground.database.url)
        try:
            await connection.execute("delete from members where member = %s", (ground.member,))
        finally:
            await connection.close()


async def replaced(still: Connection, name: str, version: int, *, alone: bool) -> None:
    """A version's tables serve from now on: in the transaction that puts them there, while no position moves.

    Who folds otherwise and was not seen for long is struck off; with ``alone``, as where such processes
    cannot write these tables, all are. Where some are left, what serves is mixed from its beginning.
    """
    await still.execute(STRIKE, (name, version, alone))
    await still.execute(VERSION, {"name": name, "version": version})


SEEN = b"update members set seen_at = clock_timestamp() where member = %s returning role"
MIXED = b"""
select name from unnest(%s::text[], %s::int[]) as p (name, version)
where exists (select from strangers(name, version) s where s.present)
"""
STRIKE = b"""
delete from members where member in (select s.member from strangers(%s, %s) s where not s.present or %s)
"""
