"""Who sits in which group, when it meets, and which sessions and messages were taken back."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.notifications import Template
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    EnrollmentEnded,
    PatientEnrolledInGroup,
    SessionCancelled,
    SessionScheduled,
)

from chassis.projection import Change, Projection, Table, on
from services.notifications.domain.message import message_id

SEATS = Table(
    "seats",
    key={"enrollment": "uuid"},
    values={
        "patient": "uuid",
        "session_group": "uuid",
        "since": "timestamptz",
        "until": "timestamptz",
    },
    indexes=("session_group",),
)
SESSIONS = Table(
    "sessions",
    key={"session": "uuid"},
    values={"session_group": "uuid", "starts_at": "timestamptz"},
)
WITHDRAWN = Table(
    "withdrawn",
    key={"subject": "uuid"},
    values={"since": "timestamptz"},
)


class Seats(Projection):
    """Who sits in which group, from when to when, and what need not be said any more."""

    version = 2
    tables = (SEATS, SESSIONS, WITHDRAWN)

    @on(PatientEnrolledInGroup)
    def seated(self, event: PatientEnrolledInGroup, about: Envelope) -> Iterator[Change]:
        """A seat."""
        yield SEATS.put(
            enrollment=event.enrollment,
            patient=event.patient,
            session_group=event.group,
            since=about.recorded_at,
            until=None,
        )

    @on(EnrollmentEnded)
    def left(self, event: EnrollmentEnded, about: Envelope) -> Iterator[Change]:
        """The seat is free again."""
        yield SEATS.put(enrollment=event.enrollment, until=about.recorded_at)

    @on(SessionScheduled)
    def scheduled(self, event: SessionScheduled, about: Envelope) -> Iterator[Change]:
        """A meeting of the group."""
        yield SESSIONS.put(session=event.session, session_group=event.group, starts_at=event.starts_at)

    @on(SessionCancelled)
    def cancelled(self, event: SessionCancelled, about: Envelope) -> Iterator[Change]:
        """Nobody need come."""
        yield WITHDRAWN.put(subject=event.session, since=about.recorded_at)

    @on(AttendanceCorrected)
    def corrected(self, event: AttendanceCorrected, about: Envelope) -> Iterator[Change]:
        """Somebody was there after all: nobody missed them."""
        if event.minutes > 0:
            missed = message_id(Template.MISSED_SESSION, event.session, event.patient)
            yield WITHDRAWN.put(subject=missed, since=about.recorded_at)
