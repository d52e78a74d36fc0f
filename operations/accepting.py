"""Accepting: a person has a rebuild swapped in though it differs from what serves; that is on record.

An acceptance is of one run: it is kept with it through interruptions and ends with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from caretrail_contracts.envelope import Actor
from caretrail_contracts.sealed import FreeText, Sealed
from caretrail_contracts.system import DifferenceAccepted, RowExplained, TableCompared

from chassis.database import Connection, fetch
from chassis.ids import derive
from chassis.office import Ground
from operations.noting import noted, sealed
from operations.parked import Person

ROWS_MAX = 20
"""Of the rows that differ so many, those of the earliest events, are on record: an event stays small."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepts what one run finds, what for, and why."""

    person: Person
    reason: Sealed[FreeText]

    def by(self) -> dict[str, Any]:
        """Who, as an outcome tells it."""
        actor = self.person.actor
        return {"by": actor.id, "role": actor.role, "purpose": self.person.purpose}

    def told(self, run: str) -> dict[str, Any]:
        """What is kept with its run."""
        return {**self.by(), "reason": self.reason.model_dump(mode="json"), "run": run}


async def accepted(ground: Ground, reason: str, person: Person) -> Acceptance:
    """The acceptance of what a run will find; its reason is sealed from here on."""
    return Acceptance(person, await sealed(ground, reason))


async def acceptance_of(connection: Connection, run: str) -> Acceptance | None:
    """What is kept with a run."""
    rows = await fetch(connection, "select accepted from rebuilds where accepted ->> 'run' = %s", run)
    if not rows:
        return None
    kept = rows[0]["accepted"]
    return Acceptance(
        Person(Actor(kept["by"], kept["role"]), kept["purpose"]), Sealed[FreeText](**kept["reason"])
    )


def event_of(
    projection: str, version: int, run: str, difference: Mapping[str, Any], acceptance: Acceptance
) -> DifferenceAccepted:
    """What differed, with both checksums and what explains it, as it is recorded."""
    served, folded = difference["others"], difference["tables"]
    tables = [
        TableCompared(
            table=name,
            served_rows=served[name]["rows"],
            served_checksum=served[name]["checksum"],
            folded_rows=folded[name]["rows"],
            folded_checksum=folded[name]["checksum"],
        )
        for name in folded
    ]
    return DifferenceAccepted(
        projection=projection,
        projection_version=version,
        run=UUID(run),
        tables=tuple(tables),
        rows=tuple(RowExplained.model_validate(row) for row in difference["differences"][:ROWS_MAX]),
        reason=acceptance.reason,
    )


async def record(
    ground: Ground, connection: Connection, event: DifferenceAccepted, acceptance: Acceptance
) -> None:
    """Put it on record in the transaction that swaps; the log's lock is the last that this takes."""
    id = derive(ground.service.name, "accepted", event.run)
    await noted(ground, connection, "accepted", id, event, acceptance.person)
