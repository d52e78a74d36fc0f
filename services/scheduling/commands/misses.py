"""Misses: noticed when they make a run that calls for outreach."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from caretrail_contracts.scheduling import ConsecutiveMissesDetected

from chassis.command import Command, Row, Work
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.misses import Misses, Seen, detect


class DetectMisses(Command):
    """A patient missed a session; ``position`` is the event's, and nothing later is looked at.

    So the same events lead to the same detections, however many are handled at once.
    """

    patient: UUID
    episode: UUID
    position: int


@handlers.handles(DetectMisses)
async def detect_misses(command: DetectMisses, work: Work) -> None:
    """Notice a run of misses, once."""
    rows = await work.rows("presence", episode=command.episode)
    misses = await work.find(Misses, command.episode)
    found = detect(seen(rows, command.position), misses.noticed if misses else set())
    if found is None:
        return
    rule, sessions = found
    fact = ConsecutiveMissesDetected(
        patient=command.patient,
        episode=command.episode,
        count=len(sessions),
        rule=rule,
        sessions=sessions,
    )
    if misses:
        misses.record(fact, work.now)
    else:
        work.add(Misses.first(fact, work.now))


def seen(rows: Iterable[Row], position: int) -> list[Seen]:
    """What was known of each session at a position; a correction says nothing of when it was."""
    starts, missed = {}, {}
    for row in sorted(rows, key=lambda row: int(row["position"])):
        if row["position"] > position:
            break
        if row["starts_at"]:
            starts[row["session"]] = row["starts_at"]
        missed[row["session"]] = bool(row["missed"])
    return [Seen(session, starts[session], missed[session]) for session in missed]
