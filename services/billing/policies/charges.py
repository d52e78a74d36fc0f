"""From admission to charge: coverage, attendance, notes, diagnoses, authorizations."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from caretrail_contracts.billing import (
    AuthorizationApproved,
    AuthorizationDenied,
    ChargeHeld,
    ContractAgreed,
    CoverageRegistered,
)
from caretrail_contracts.clinical import DiagnosisRecorded, NoteSigned, NoteWithdrawn
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.intake import PatientAdmitted
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    Attended,
    GroupSeriesScheduled,
    SessionAttended,
    SessionClosed,
    SessionPartiallyAttended,
    SessionScheduled,
)

from chassis.policy import Reaction, Timer
from services.billing.commands.charges import DecideAfterAnswer, DecideCharge, DecideEpisode
from services.billing.commands.contracts import RegisterCoverage, ReviewCoverages
from services.billing.commands.evidence import CountSession, CountWaiting
from services.billing.domain.instants import day_close
from services.billing.policies.registry import policies

UUID_CHARS = 36


def subject_of(about: Envelope) -> UUID:
    """The id of the aggregate whose stream an event stands on, such as ``charge-<id>``."""
    return UUID(about.stream[-UUID_CHARS:])


@policies.on(PatientAdmitted)
def when_patient_admitted(event: PatientAdmitted, about: Envelope) -> Iterator[Reaction]:
    """Register who pays, and ask for authorization where the contract wants it."""
    yield RegisterCoverage(
        patient=event.patient,
        episode=event.episode,
        payer=event.payer,
        member_id=event.member_id,
        admitted_on=event.admitted_on,
    )


@policies.on(ContractAgreed)
def when_contract_agreed(event: ContractAgreed, about: Envelope) -> Iterator[Reaction]:
    """What waited for terms goes on."""
    yield ReviewCoverages(payer=event.payer)


@policies.on(SessionAttended, SessionPartiallyAttended)
def when_attended(event: Attended, about: Envelope) -> Iterator[Reaction]:
    """Count it; the day is decided when it closes."""
    count = CountSession(session=event.session, patient=event.patient)
    yield count
    yield Timer(_closing(event.session, event.patient), day_close(event.ended_at), count)


@policies.on(AttendanceCorrected)
def when_attendance_corrected(event: AttendanceCorrected, about: Envelope) -> Iterator[Reaction]:
    """Count it as it was; a miss that was none needs its day closed too, and is one member more."""
    count = CountSession(session=event.session, patient=event.patient)
    yield count
    if (event.minutes > 0) != (event.previous_minutes > 0):
        yield CountWaiting(session=event.session)
    if event.ended_at:
        yield Timer(_closing(event.session, event.patient), day_close(event.ended_at), count)


def _closing(session: UUID, patient: UUID) -> str:
    return f"close-{session}-{patient}"


@policies.on(SessionScheduled)
def when_session_scheduled(event: SessionScheduled, about: Envelope) -> Iterator[Reaction]:
    """Attendance may have come first."""
    yield CountWaiting(session=event.session)


@policies.on(SessionClosed)
def when_session_closed(event: SessionClosed, about: Envelope) -> Iterator[Reaction]:
    """The size of the group is known: days that were decided without it are decided again."""
    yield CountWaiting(session=event.session)


@policies.on(GroupSeriesScheduled)
def when_group_scheduled(event: GroupSeriesScheduled, about: Envelope) -> Iterator[Reaction]:
    """Likewise: its time zone says on which date a session was."""
    yield CountWaiting(group=event.group)


@policies.on(NoteSigned)
def when_note_signed(event: NoteSigned, about: Envelope) -> Iterator[Reaction]:
    """A day that waited for it can be charged."""
    yield CountSession(session=event.session, patient=event.patient)


@policies.on(NoteWithdrawn)
def when_note_withdrawn(event: NoteWithdrawn, about: Envelope) -> Iterator[Reaction]:
    """What was charged on it no longer stands."""
    if about.patient:
        yield CountSession(session=event.session, patient=about.patient)


@policies.on(DiagnosisRecorded)
def when_diagnosis_recorded(event: DiagnosisRecorded, about: Envelope) -> Iterator[Reaction]:
    """Days that waited for it can be charged."""
    yield DecideEpisode(episode=event.episode)


@policies.on(CoverageRegistered)
def when_coverage_registered(event: CoverageRegistered, about: Envelope) -> Iterator[Reaction]:
    """Likewise."""
    yield DecideEpisode(episode=event.episode)


@policies.on(AuthorizationApproved, AuthorizationDenied)
def when_authorization_answered(event: Event, about: Envelope) -> Iterator[Reaction]:
    """Likewise, or the reason to wait is another one now."""
    yield DecideAfterAnswer(authorization=subject_of(about))


@policies.on(ChargeHeld)
def when_charge_held(event: ChargeHeld, about: Envelope) -> Iterator[Reaction]:
    """What it waits for may have come in the very moment."""
    yield DecideCharge(charge=subject_of(about))
