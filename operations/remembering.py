"""Remembering: where the memory of commands does not fit the events, page by page, however many there are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.database import Database, query

EVENTS_MAX = 10_000
"""Events, or commands, compared for one answer: in a second, even where none of it is in memory."""

BEFORE_ALL = -(2**63)
"""No position is below it."""

BEFORE_ALL_IDS = UUID(int=0)
"""Below every command's id."""

Found = dict[str, Any]
"""What is apart, and ``next``, after which the next page begins; None where this was the last."""


async def of_events(database: Database, after: int, until: int) -> Found:
    """Events above a position, up to another, whose command is remembered otherwise, or not at all."""
    [page] = await database.rows(BORDER, after, until, EVENTS_MAX)
    last = page["events"] < EVENTS_MAX
    upto = page["until"] if last else page["complete"] or page["until"]
    found = await database.rows(APART, after, upto) if page["events"] else []
    return {"apart": found, "next": None if last else upto}


async def of_commands(database: Database, after: UUID) -> Found:
    """Commands, in order of their ids, that are remembered to have recorded events which are not there."""
    [page] = await database.rows(ALONE, after, EVENTS_MAX)
    # Only where something is wrong is the log, which has no index by command, read for it.
    alone = await database.rows(WITHOUT, page["suspects"]) if page["suspects"] else []
    return {"apart": alone, "next": None if page["commands"] < EVENTS_MAX else page["last"]}


async def all_apart(database: Database) -> list[dict[str, Any]]:
    """All of it at once, for an audit of the release before."""
    found, event, command = list[dict[str, Any]](), BEFORE_ALL, BEFORE_ALL_IDS
    [log] = await database.rows("select coalesce(max(position), 0) as head from events")
    while event is not None:
        page = await of_events(database, event, log["head"])
        found, event = found + page["apart"], page["next"]
    while command is not None:
        page = await of_commands(database, command)
        found, command = found + page["apart"], page["next"]
    return found


APART, BORDER, ALONE = (
    query(name, "operations") for name in ("commands_apart", "commands_border", "commands_alone")
)
WITHOUT = b"""
select 'a command is remembered without its events' as kind, command_id::text as id, '' as stream,
    0 as stream_version
from unnest(%s::uuid[]) as alone (command_id)
where command_id not in (select e.command_id from events e where e.command_id is not null)
"""
