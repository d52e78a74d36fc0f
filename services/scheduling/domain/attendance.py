"""An attendance: one member at one session, on a stream of its own. Fed by staff alone."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    SessionAttended,
    SessionMissed,
    SessionPartiallyAttended,
)

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.scheduling.domain.presence import Missed, Presence, There, cause_of, check
from services.scheduling.domain.refusals import AttendanceStands, NothingToCorrect
from services.scheduling.domain.session import Session


def attendance_id(session: UUID, patient: UUID) -> UUID:
    """The id of a patient's attendance of a session."""
    return derive("attendance", session, patient)


class Attendance(Aggregate):
    """What stands about a member at a session; ``span`` is None where it was missed, ``excused`` else."""

    category: ClassVar[str] = "attendance"
    patient: UUID | None = None
    episode: UUID | None = None
    session: UUID | None = None
    span: tuple[datetime, datetime] | None = None
    minutes: int = 0
    excused: bool | None = None
    first: SessionAttended | SessionPartiallyAttended | SessionMissed | None = None
    corrected: bool = False

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case SessionAttended() | SessionPartiallyAttended():
                self.patient, self.episode, self.session = fact.patient, fact.episode, fact.session
                self.span, self.minutes = (fact.started_at, fact.ended_at), fact.minutes
                self.first = fact
            case SessionMissed():
                self.patient, self.episode, self.session = fact.patient, fact.episode, fact.session
                self.first, self.excused = fact, fact.excused
            case AttendanceCorrected():
                told = fact.started_at and fact.ended_at
                self.span = (fact.started_at, fact.ended_at) if told else None  # type: ignore[assignment]
                self.minutes, self.corrected = fact.minutes, True
                self.excused = None if told else bool(fact.excused)

    @classmethod
    def note(cls, patient: UUID, episode: UUID, session: Session, said: Presence, now: datetime) -> Self:
        """What a member did, recorded for the first time. Raises the refusals of ``presence.check``."""
        check(said, session, now)
        happened = said.ended_at if isinstance(said, There) else session.meeting.starts_at
        id = attendance_id(session.id, patient)
        return cls.start(id, fact_of(patient, episode, session, said), happened)

    def note_again(self, session: Session, said: Presence) -> None:
        """The same once more is no news. Raises AttendanceStands where it differs."""
        assert self.patient is not None
        assert self.episode is not None
        if self.corrected or self.first != fact_of(self.patient, self.episode, session, said):
            raise AttendanceStands(attendance=self.id)

    def correct(self, session: Session, said: Presence, reason: str, approver: str, now: datetime) -> None:
        """These are the facts. Raises NothingToCorrect and the refusals of ``presence.check``."""
        assert self.patient is not None
        assert self.episode is not None
        check(said, session, now)
        span = (said.started_at, said.ended_at) if isinstance(said, There) else None
        excused = said.excused if isinstance(said, Missed) else None
        if (span, excused) == (self.span, self.excused):
            raise NothingToCorrect(attendance=self.id)
        fact = AttendanceCorrected(
            patient=self.patient,
            episode=self.episode,
            session=session.id,
            previous_minutes=self.minutes,
            minutes=said.minutes if isinstance(said, There) else 0,
            started_at=span[0] if span else None,
            ended_at=span[1] if span else None,
            excused=excused,
            cause=said.reason if isinstance(said, Missed) else said.cause,
            reason=reason,
            approver=approver,
        )
        self.record(fact, now)


def fact_of(patient: UUID, episode: UUID, session: Session, said: Presence) -> Event:
    """The event of what somebody said: there in whole, in part, or missed."""
    who = {"patient": patient, "episode": episode, "session": session.id, "group": session.meeting.group}
    if isinstance(said, Missed):
        starts_at = session.meeting.starts_at
        return SessionMissed(**who, starts_at=starts_at, excused=said.excused, reason=said.reason)
    times = {"started_at": said.started_at, "ended_at": said.ended_at, "minutes": said.minutes}
    if said.minutes >= session.minutes:
        return SessionAttended.model_validate({**who, **times})
    return SessionPartiallyAttended.model_validate({**who, **times, "cause": cause_of(said, session)})
