"""Messages to patients: what causes them, and when they are decided on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import PatientAdmitted
from caretrail_contracts.notifications import (
    MessageDeferred,
    MessageFailed,
    MessageRequested,
    TaskKind,
    Template,
)
from caretrail_contracts.scheduling import SessionCancelled, SessionMissed, SessionScheduled

from chassis.policy import Cancel, Reaction, Timer
from services.notifications.commands.messages import (
    FollowUpMiss,
    PostMessage,
    RemindOfSession,
    RequestMessage,
    TellOfCancellation,
)
from services.notifications.commands.tasks import OpenTask
from services.notifications.domain.subject import subject_of
from services.notifications.policies.registry import policies

WELCOME_WITHIN = timedelta(days=3)
"""A later welcome would be odd: the patient has been here."""

REMINDERS_GO_AT = time(17)
"""UTC. Noon or 1 p.m. in New York and the morning in California, so that a day's reminders go together."""

REMINDER_LEAD_MIN = timedelta(hours=18)
"""With the above: the day before the session in every zone of the United States."""


def reminder_time(starts_at: datetime) -> datetime:
    """When the members of a session are reminded: one instant for all of them, the day before."""
    latest = (starts_at - REMINDER_LEAD_MIN).astimezone(UTC)
    same_day = datetime.combine(latest.date(), REMINDERS_GO_AT, UTC)
    return same_day if same_day <= latest else same_day - timedelta(days=1)


@policies.on(PatientAdmitted)
def when_patient_admitted(event: PatientAdmitted, about: Envelope) -> Iterator[Reaction]:
    """Welcome the patient."""
    yield RequestMessage(
        patient=event.patient,
        template=Template.WELCOME,
        about=event.episode,
        not_after=about.occurred_at + WELCOME_WITHIN,
    )


@policies.on(SessionScheduled)
def when_session_scheduled(event: SessionScheduled, about: Envelope) -> Iterator[Reaction]:
    """Remind the members the day before."""
    remind = RemindOfSession(session=event.session, group=event.group, starts_at=event.starts_at)
    yield Timer(f"remind-{event.session}", reminder_time(event.starts_at), remind)


@policies.on(SessionCancelled)
def when_session_cancelled(event: SessionCancelled, about: Envelope) -> Iterator[Reaction]:
    """Nobody need be reminded, and nobody should come."""
    yield Cancel(f"remind-{event.session}")
    yield TellOfCancellation(session=event.session)


@policies.on(SessionMissed)
def when_session_missed(event: SessionMissed, about: Envelope) -> Iterator[Reaction]:
    """Write the same day, and call who is at risk."""
    yield FollowUpMiss(
        patient=event.patient,
        session=event.session,
        starts_at=event.starts_at,
        excused=event.excused,
    )


@policies.on(MessageRequested)
def when_message_requested(event: MessageRequested, about: Envelope) -> Iterator[Reaction]:
    """Decide on it when the moment has settled."""
    yield _post(event.message, event.post_at)


@policies.on(MessageDeferred)
def when_message_deferred(event: MessageDeferred, about: Envelope) -> Iterator[Reaction]:
    """Decide on it in the recipient's morning."""
    yield _post(subject_of(about), event.until)


@policies.on(MessageFailed)
def when_message_failed(event: MessageFailed, about: Envelope) -> Iterator[Reaction]:
    """Try again by the same rules; when enough was tried, staff must find another way."""
    message = subject_of(about)
    if event.retry_at:
        yield _post(message, event.retry_at)
    else:
        yield OpenTask(kind=TaskKind.MESSAGE_FAILED, patient=about.patient, about=message)


def _post(message: UUID, at: datetime) -> Timer:
    return Timer(f"post-{message}", at, PostMessage(message=message, posting=at))
