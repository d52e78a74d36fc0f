"""What other services said that counts toward charges: sessions, attendances, notes, diagnoses, seats."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.clinical import DiagnosisRecorded, NoteSigned, NoteWithdrawn
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    Attended,
    EnrollmentEnded,
    GroupSeriesScheduled,
    PatientEnrolledInGroup,
    SessionAttended,
    SessionClosed,
    SessionPartiallyAttended,
    SessionScheduled,
)

from chassis.projection import Change, Projection, Table, on

GROUPS = Table("groups", key={"group_id": "uuid"}, values={"time_zone": "text", "weekdays": "jsonb"})
SESSIONS = Table(
    "sessions",
    key={"session": "uuid"},
    values={
        "group_id": "uuid",
        "starts_at": "timestamptz",
        "participants": "integer",
        "position": "bigint",
    },
    indexes=("group_id",),
)
CORRECTIONS = Table(
    "presence_corrections", key={"session": "uuid", "position": "bigint"}, values={"change": "integer"}
)
ATTENDANCES = Table(
    "attendances",
    key={"session": "uuid", "patient": "uuid"},
    values={
        "episode": "uuid",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
        "minutes": "integer",
        "source_event": "uuid",
    },
)
NOTES = Table(
    "notes",
    key={"session": "uuid", "patient": "uuid"},
    values={"signed": "boolean", "clinician": "text", "source_event": "uuid"},
)
DIAGNOSES = Table("diagnoses", key={"episode": "uuid", "rank": "integer"}, values={"icd10": "text"})
SEATS = Table(
    "seats",
    key={"enrollment": "uuid"},
    values={"episode": "uuid", "group_id": "uuid", "ended": "boolean"},
    indexes=("episode",),
)


class Evidence(Projection):
    """Sessions and groups, who attended, and which notes and diagnoses there are."""

    version = 3
    tables = (GROUPS, SESSIONS, CORRECTIONS, ATTENDANCES, NOTES, DIAGNOSES, SEATS)

    @on(GroupSeriesScheduled)
    def group_scheduled(self, event: GroupSeriesScheduled, about: Envelope) -> Iterator[Change]:
        """Where and on which weekdays a group meets."""
        weekdays = [day.value for day in event.weekdays]
        yield GROUPS.put(group_id=event.group, time_zone=event.time_zone, weekdays=weekdays)

    @on(SessionScheduled)
    def session_scheduled(self, event: SessionScheduled, about: Envelope) -> Iterator[Change]:
        """Which group, and when."""
        yield SESSIONS.put(session=event.session, group_id=event.group, starts_at=event.starts_at)

    @on(SessionClosed)
    def session_closed(self, event: SessionClosed, about: Envelope) -> Iterator[Change]:
        """How many were there, as known at a position of scheduling's events."""
        known = {"participants": event.participant_count, "position": about.position}
        yield SESSIONS.put(session=event.session, **known)

    @on(SessionAttended, SessionPartiallyAttended)
    def attended(self, event: Attended, about: Envelope) -> Iterator[Change]:
        """Who was there, from when to when."""
        yield _attendance(event, about)

    @on(AttendanceCorrected)
    def attendance_corrected(self, event: AttendanceCorrected, about: Envelope) -> Iterator[Change]:
        """As it really was; one more or one less may have been there."""
        yield _attendance(event, about)
        change = (event.minutes > 0) - (event.previous_minutes > 0)
        if change:
            yield CORRECTIONS.put(session=event.session, position=about.position, change=change)

    @on(NoteSigned)
    def note_signed(self, event: NoteSigned, about: Envelope) -> Iterator[Change]:
        """A note is there."""
        facts = {"signed": True, "clinician": event.clinician, "source_event": about.id}
        yield NOTES.put(session=event.session, patient=event.patient, **facts)

    @on(NoteWithdrawn)
    def note_withdrawn(self, event: NoteWithdrawn, about: Envelope) -> Iterator[Change]:
        """It is there no longer."""
        facts = {"signed": False, "clinician": None, "source_event": about.id}
        if about.patient:
            yield NOTES.put(session=event.session, patient=about.patient, **facts)

    @on(DiagnosisRecorded)
    def diagnosis_recorded(self, event: DiagnosisRecorded, about: Envelope) -> Iterator[Change]:
        """The same rank again replaces it."""
        yield DIAGNOSES.put(episode=event.episode, rank=event.rank, icd10=event.icd10)

    @on(PatientEnrolledInGroup)
    def enrolled(self, event: PatientEnrolledInGroup, about: Envelope) -> Iterator[Change]:
        """A seat: more days to come."""
        yield SEATS.put(enrollment=event.enrollment, episode=event.episode, group_id=event.group)

    @on(EnrollmentEnded)
    def enrollment_ended(self, event: EnrollmentEnded, about: Envelope) -> Iterator[Change]:
        """No more days from it."""
        yield SEATS.put(enrollment=event.enrollment, ended=True)


def _attendance(event: Attended | AttendanceCorrected, about: Envelope) -> Change:
    return ATTENDANCES.put(
        session=event.session,
        patient=event.patient,
        episode=event.episode,
        started_at=event.started_at,
        ended_at=event.ended_at,
        minutes=event.minutes,
        source_event=about.id,
    )
