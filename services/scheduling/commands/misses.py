"""Looking for misses that call for outreach."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.scheduling import ConsecutiveMissesDetected

from chassis.command import Command, Work
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.misses import Misses, Outcome, detect


class LookForMisses(Command):
    """A session was missed: see what it amounts to together with the others of the episode."""

    patient: UUID
    episode: UUID
    session: UUID


@handlers.handles(LookForMisses)
async def look_for_misses(command: LookForMisses, work: Work) -> None:
    """Over the attendance on record, by our own projection of it."""
    rows = await work.rows("attendance", episode=command.episode)
    outcomes = [Outcome(row["session"], row["began_at"], row["minutes"] == 0) for row in rows]
    misses = await work.find(Misses, command.episode)
    found = detect(outcomes, command.session, misses.counted if misses else set())
    if found is None:
        return
    fact = ConsecutiveMissesDetected(
        patient=command.patient,
        episode=command.episode,
        count=len(found.sessions),
        rule=found.rule,
        sessions=found.sessions,
    )
    if misses:
        misses.record(fact, work.now)
    else:
        work.add(Misses.first(fact, work.now))
