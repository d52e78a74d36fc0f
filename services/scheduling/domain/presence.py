"""What may be said about a member at a session: there from when to when, or missed."""

from __future__ import annotations

from datetime import datetime, timedelta

from caretrail_contracts.codes import Code
from caretrail_contracts.event import Instant, Value

from services.scheduling.domain.refusals import InTheFuture, NoMinutes, OutsideSession
from services.scheduling.domain.session import Session

LEEWAY = timedelta(minutes=60)
"""How long before and after a session somebody may be said to have been there: it begins late, runs over."""

LATE, LEFT_EARLY, LATE_AND_LEFT_EARLY = "late", "left-early", "late-and-left-early"


class There(Value):
    """A member was there. ``cause`` says why in part, where somebody said so."""

    started_at: Instant
    ended_at: Instant
    cause: Code | None = None

    @property
    def minutes(self) -> int:
        """Whole minutes."""
        return int((self.ended_at - self.started_at).total_seconds()) // 60


class Missed(Value):
    """A member was not there."""

    excused: bool = False
    reason: Code | None = None


Presence = There | Missed


def check(presence: Presence, session: Session, now: datetime) -> None:
    """Whether that can be. Raises NoMinutes, InTheFuture, OutsideSession and the session's refusals."""
    session.admit_facts(now)
    if isinstance(presence, Missed):
        return
    if presence.minutes < 1:
        raise NoMinutes()
    if presence.ended_at > now:
        raise InTheFuture(ended_at=presence.ended_at.isoformat())
    starts_at, ends_at = session.meeting.starts_at, session.meeting.ends_at
    earliest, latest = starts_at - LEEWAY, ends_at + LEEWAY
    overlaps = presence.started_at < ends_at and presence.ended_at > starts_at
    if not overlaps or presence.started_at < earliest or presence.ended_at > latest:
        raise OutsideSession(earliest=earliest.isoformat(), latest=latest.isoformat())


def cause_of(presence: There, session: Session) -> str:
    """Why somebody was there in part only, as said, else as the times tell."""
    if presence.cause:
        return presence.cause
    late = presence.started_at > session.meeting.starts_at
    early = presence.ended_at < session.meeting.ends_at
    if late and early:
        return LATE_AND_LEFT_EARLY
    return LATE if late else LEFT_EARLY
