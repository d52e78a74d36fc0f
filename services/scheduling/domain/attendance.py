"""A member's attendance of one session: there in whole, in part, or missed; corrected by later facts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.event import Event, Instant, Value
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    SessionAttended,
    SessionMissed,
    SessionPartiallyAttended,
)

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.scheduling.domain.refusals import (
    AttendanceRecordedOtherwise,
    InTheFuture,
    NoMinutes,
    NothingToCorrect,
    OutsideSession,
)
from services.scheduling.domain.session import Session

MARGIN = timedelta(minutes=60)
"""So long before and after a session somebody may come and go; more is a mistake in the entry."""

LATE, LEFT_EARLY, LATE_AND_LEFT_EARLY = "late", "left-early", "late-and-left-early"
INTERRUPTED = "interrupted"
"""Causes of a partial attendance, where nobody gave one."""


class Present(Value):
    """A member was there between these times."""

    started_at: Instant
    ended_at: Instant
    cause: Code | None = None

    @property
    def minutes(self) -> int:
        """Full minutes between them."""
        return int((self.ended_at - self.started_at).total_seconds() // 60)


class Missed(Value):
    """A member was not there."""

    excused: bool = False
    reason: Code | None = None

    @property
    def minutes(self) -> int:
        """None."""
        return 0


Entry = Present | Missed
"""What somebody enters about a member's attendance."""


class Member(Value):
    """Whose attendance it is."""

    patient: UUID
    episode: UUID


def attendance_id(session: UUID, patient: UUID) -> UUID:
    """The id of a patient's attendance of a session."""
    return derive("attendance", session, patient)


def check(entry: Entry, patient: UUID, session: Session, now: datetime) -> None:
    """Refuse what cannot have been.

    Raises SessionIsCancelled, SessionNotBegun, NoMinutes, OutsideSession, InTheFuture.
    """
    if isinstance(entry, Missed):
        session.check_begun(now)
        return
    session.check_held()
    if entry.minutes < 1:
        raise NoMinutes(patient=patient)
    if entry.started_at < session.starts_at - MARGIN or entry.ended_at > session.ends_at + MARGIN:
        raise OutsideSession(patient=patient, margin=int(MARGIN.total_seconds() // 60))
    if entry.ended_at > now:
        raise InTheFuture(patient=patient)


def cause_of(entry: Present, session: Session) -> str:
    """Why less than the whole: as entered, else by the times."""
    if entry.cause:
        return entry.cause
    late, early = entry.started_at > session.starts_at, entry.ended_at < session.ends_at
    if late and early:
        return LATE_AND_LEFT_EARLY
    return LATE if late else LEFT_EARLY if early else INTERRUPTED


class Attendance(Aggregate):
    """On the patient's stream; what it says now is ``entry``."""

    category: ClassVar[str] = "attendance"
    patient: UUID | None = None
    episode: UUID | None = None
    session: UUID | None = None
    entry: Entry = Missed()

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case SessionAttended() | SessionPartiallyAttended():
                self._belong(fact.patient, fact.episode, fact.session)
                cause = fact.cause if isinstance(fact, SessionPartiallyAttended) else None
                self.entry = Present(started_at=fact.started_at, ended_at=fact.ended_at, cause=cause)
            case SessionMissed():
                self._belong(fact.patient, fact.episode, fact.session)
                self.entry = Missed(excused=fact.excused, reason=fact.reason)
            case AttendanceCorrected(started_at=datetime() as start, ended_at=datetime() as end):
                self.entry = Present(started_at=start, ended_at=end)
            case AttendanceCorrected():
                self.entry = Missed(excused=bool(fact.excused))

    def _belong(self, patient: UUID, episode: UUID, session: UUID) -> None:
        self.patient, self.episode, self.session = patient, episode, session

    @classmethod
    def enter(cls, member: Member, session: Session, entry: Entry, now: datetime) -> Self:
        """The first entry, true when the attendance ended, or the session began that was missed.

        Raises SessionIsCancelled, SessionNotBegun, NoMinutes, OutsideSession, InTheFuture.
        """
        check(entry, member.patient, session, now)
        at = entry.ended_at if isinstance(entry, Present) else session.starts_at
        return cls.start(attendance_id(session.id, member.patient), fact_of(member, session, entry), at)

    def confirm(self, entry: Entry) -> None:
        """The same entry again changes nothing. Raises AttendanceRecordedOtherwise."""
        if not self.says(entry):
            raise AttendanceRecordedOtherwise(attendance=self.id)

    def says(self, entry: Entry) -> bool:
        """Whether this is on record; a cause that is not given may be any."""
        if isinstance(entry, Present) and isinstance(self.entry, Present) and entry.cause is None:
            return (entry.started_at, entry.ended_at) == (self.entry.started_at, self.entry.ended_at)
        return self.entry == entry

    def correct(self, session: Session, entry: Entry, reason: str, approver: str, now: datetime) -> None:
        """The entry was wrong, this is right.

        Raises NothingToCorrect, SessionIsCancelled, SessionNotBegun, NoMinutes, OutsideSession, InTheFuture.
        """
        assert self.patient and self.episode and self.session
        check(entry, self.patient, session, now)
        if self.says(entry):
            raise NothingToCorrect(attendance=self.id)
        present = entry if isinstance(entry, Present) else None
        corrected = AttendanceCorrected(
            patient=self.patient,
            episode=self.episode,
            session=self.session,
            previous_minutes=self.entry.minutes,
            minutes=entry.minutes,
            started_at=present and present.started_at,
            ended_at=present and present.ended_at,
            reason=reason,
            approver=approver,
            excused=None if isinstance(entry, Present) else entry.excused,
        )
        self.record(corrected, now)


def fact_of(member: Member, session: Session, entry: Entry) -> Event:
    """The event that an entry makes: partial where it is shorter than the session."""
    assert session.group
    who = {"patient": member.patient, "episode": member.episode}
    where = {"session": session.id, "group": session.group}
    if isinstance(entry, Missed):
        return SessionMissed(
            **who, **where, starts_at=session.starts_at, excused=entry.excused, reason=entry.reason
        )
    times = {"started_at": entry.started_at, "ended_at": entry.ended_at}
    if entry.minutes < session.minutes:
        cause = cause_of(entry, session)
        return SessionPartiallyAttended(**who, **where, **times, minutes=entry.minutes, cause=cause)
    return SessionAttended(**who, **where, **times, minutes=entry.minutes)
