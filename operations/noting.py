"""Noting: what a person decided about a service's own work, on record with who, what for and why."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.sealed import FreeText, Sealed
from pydantic import StringConstraints

from chassis.command import Cause, Commit
from chassis.database import Connection
from chassis.office import Ground
from operations.parked import Person
from web.text import Lines

Reason = Annotated[Lines, StringConstraints(strip_whitespace=True)]
"""Why, in a person's words, as it comes in: sealed from then on."""


async def sealed(ground: Ground, reason: str) -> Sealed[FreeText]:
    """A reason that is about no patient: sealed under the service's key."""
    return await ground.doors.seal(f"service:{ground.service.name}", FreeText(reason))


async def noted(
    ground: Ground, connection: Connection, kind: str, id: UUID, event: Event, person: Person
) -> None:
    """What was decided, with who decided it, in the transaction that carries it out; once for each id."""
    cause = Cause(command_id=id, actor=person.actor, purpose=person.purpose, correlation_id=id)
    commit = Commit.note(cause, ground.clock.now(), kind, event)
    (written,) = await ground.store.appender.append(connection, [ground.store.appender.pack(commit)])
    if isinstance(written, Exception):
        raise written
    ground.store.appended.give()
