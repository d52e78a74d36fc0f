"""Refusals as events: an auditor finds them, and a repeat of the command gets the same answer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from caretrail_contracts.system import CommandRefused, Place

from chassis.command import Cause, Command, Commit, Fact
from chassis.refusal import Refusal


def refusal_commit(command: Command, refusal: Refusal, cause: Cause, now: datetime) -> Commit:
    """A commit that records nothing but the refusal, on a stream of its own, without the input."""
    event = CommandRefused(
        command=type(command).__name__,
        rule=refusal.rule,
        message=refusal.message[:400],
        place=Place(at=refusal.at, expected=refusal.message[:400]) if refusal.at else None,
    )
    patient = getattr(command, "patient", None)
    stream = f"refusal-{cause.command_id}"
    fact = Fact(stream, 1, event, now, patient if isinstance(patient, UUID) else None, None)
    answer = {"rule": refusal.rule, "message": refusal.message, "at": refusal.at}
    return Commit(cause, now, (fact,), {stream: 0}, refusal=answer)
