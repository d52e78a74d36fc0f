"""Tasks for staff: what causes them, who is told, and what happens when nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from caretrail_contracts.billing import (
    AuthorizationDenied,
    AuthorizationRunningLow,
    ChargeCaptured,
    ChargeHeld,
    ChargeVoided,
    ClaimCorrectionDue,
    ClaimNeedsReview,
    DenialOpened,
    ExchangeFailed,
    RemittanceClaimParked,
)
from caretrail_contracts.clinical import (
    RiskStatusChanged,
    SuicideRiskScreened,
    SuicideRiskScreenRequested,
)
from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.notifications import (
    StaffNoticeFailed,
    StaffTaskAcknowledged,
    StaffTaskCompleted,
    StaffTaskCreated,
    StaffTaskEscalated,
    TaskKind,
)
from caretrail_contracts.scheduling import (
    ConsecutiveMissesDetected,
    EnrollmentRejected,
    WaitlistEntryAdded,
)

from chassis.ids import derive
from chassis.policy import Cancel, Reaction, Timer
from services.notifications.commands.notices import NotifyAgain, NotifyStaff
from services.notifications.commands.tasks import EscalateTask, OpenTask
from services.notifications.domain.staffing import DUTIES, end_of
from services.notifications.domain.subject import subject_of
from services.notifications.policies.registry import policies

SEVERITY = (
    RiskLevel.NONE,
    RiskLevel.LOW,
    RiskLevel.INCOMPLETE,
    RiskLevel.MODERATE,
    RiskLevel.HIGH,
)
"""From least to most. The C-SSRS screener's triage (Columbia Lighthouse Project) places answers alone, so an
incomplete screen never reads as low."""

HELD_TOO_LONG = timedelta(hours=72)
"""Program policy: a charge that nothing moved for so long waits for a person of billing."""

NOTE_UNSIGNED = "NoteUnsigned"

NOTE_CHASED_AFTER = timedelta(hours=72)
"""Program policy: a day of service has its signed notes three days after it closed, or clinicians hear."""

NOTE_MISSING_TOO_LONG = timedelta(days=7)
"""Program policy: a note that clinicians were asked for and that is still missing concerns billing too."""


@policies.on(SuicideRiskScreenRequested)
def when_screen_requested(event: SuicideRiskScreenRequested, about: Envelope) -> Iterator[Reaction]:
    """A screen is due now, whatever the total."""
    yield OpenTask(kind=TaskKind.RISK, patient=event.patient, about=event.measure)


@policies.on(SuicideRiskScreened)
def when_screened(event: SuicideRiskScreened, about: Envelope) -> Iterator[Reaction]:
    """An incomplete screen must be completed."""
    if event.level is RiskLevel.INCOMPLETE:
        yield OpenTask(kind=TaskKind.RISK, patient=event.patient, about=about.id)


@policies.on(RiskStatusChanged)
def when_risk_changed(event: RiskStatusChanged, about: Envelope) -> Iterator[Reaction]:
    """A risk that rose to moderate or high needs somebody at once."""
    raised = SEVERITY.index(event.level) > SEVERITY.index(event.previous)
    if raised and event.level is RiskLevel.HIGH:
        yield OpenTask(kind=TaskKind.CRISIS, patient=event.patient, about=about.id)
    elif raised and event.level is RiskLevel.MODERATE:
        yield OpenTask(kind=TaskKind.RISK, patient=event.patient, about=about.id)


@policies.on(ConsecutiveMissesDetected)
def when_misses_detected(event: ConsecutiveMissesDetected, about: Envelope) -> Iterator[Reaction]:
    """Outreach the same day: program policy. A third to a half of patients leave in the first three weeks
    (MedCity News, January 2026), and misses come first."""
    yield OpenTask(kind=TaskKind.OUTREACH, patient=event.patient, about=about.id)


@policies.on(EnrollmentRejected)
def when_enrollment_rejected(event: EnrollmentRejected, about: Envelope) -> Iterator[Reaction]:
    """The patient is admitted and has no place."""
    about_track = derive("enrollment", event.episode, event.track)
    yield OpenTask(kind=TaskKind.ENROLLMENT, patient=event.patient, about=about_track)


@policies.on(WaitlistEntryAdded)
def when_waitlisted(event: WaitlistEntryAdded, about: Envelope) -> Iterator[Reaction]:
    """The patient is admitted and waits for a seat: staff look for another group meanwhile."""
    yield OpenTask(kind=TaskKind.ENROLLMENT, patient=event.patient, about=event.enrollment)


@policies.on(AuthorizationDenied)
def when_authorization_denied(event: AuthorizationDenied, about: Envelope) -> Iterator[Reaction]:
    """Charges are held; a peer-to-peer review may turn it."""
    yield OpenTask(kind=TaskKind.AUTHORIZATION, patient=about.patient, about=subject_of(about))


@policies.on(AuthorizationRunningLow)
def when_authorization_runs_low(event: AuthorizationRunningLow, about: Envelope) -> Iterator[Reaction]:
    """The concurrent review is due."""
    yield OpenTask(
        kind=TaskKind.AUTHORIZATION,
        patient=about.patient,
        about=about.id,
        due_at=end_of(event.review_due),
    )


@policies.on(DenialOpened)
def when_denial_opened(event: DenialOpened, about: Envelope) -> Iterator[Reaction]:
    """To be worked in time for its appeal."""
    due_at = end_of(event.work_by)
    yield OpenTask(kind=TaskKind.DENIAL, patient=event.patient, about=event.denial, due_at=due_at)


@policies.on(RemittanceClaimParked)
def when_remittance_claim_parked(event: RemittanceClaimParked, about: Envelope) -> Iterator[Reaction]:
    """A claim of a remittance that is none of ours, or seems so."""
    yield OpenTask(kind=TaskKind.REMITTANCE_REVIEW, patient=about.patient, about=about.id)


@policies.on(ClaimNeedsReview)
def when_claim_needs_review(event: ClaimNeedsReview, about: Envelope) -> Iterator[Reaction]:
    """A reason that the table does not know."""
    yield OpenTask(kind=TaskKind.REMITTANCE_REVIEW, patient=event.patient, about=about.id)


@policies.on(ClaimCorrectionDue)
def when_claim_correction_due(event: ClaimCorrectionDue, about: Envelope) -> Iterator[Reaction]:
    """What a submitted claim says is no longer so: it must be replaced or voided."""
    yield OpenTask(kind=TaskKind.CLAIM_CORRECTION, patient=event.patient, about=about.id)


@policies.on(ExchangeFailed)
def when_exchange_failed(event: ExchangeFailed, about: Envelope) -> Iterator[Reaction]:
    """A file did not get through; what it carried waits until somebody sends it again."""
    yield OpenTask(kind=TaskKind.EXCHANGE, patient=event.patient, about=about.id)


@policies.on(ChargeHeld)
def when_charge_held(event: ChargeHeld, about: Envelope) -> Iterator[Reaction]:
    """Somebody must look when it stays so: clinicians at first where a note is missing, billing at last."""
    charge = subject_of(about)
    look = OpenTask(kind=TaskKind.CHARGE_HOLD, patient=about.patient, about=charge)
    if event.rule == NOTE_UNSIGNED:
        chase = OpenTask(kind=TaskKind.MISSING_NOTE, patient=about.patient, about=charge)
        yield Timer(_note(charge), about.occurred_at + NOTE_CHASED_AFTER, chase)
        yield Timer(_hold(charge), about.occurred_at + NOTE_MISSING_TOO_LONG, look)
    else:
        yield Cancel(_note(charge))
        yield Timer(_hold(charge), about.occurred_at + HELD_TOO_LONG, look)


@policies.on(ChargeCaptured, ChargeVoided)
def when_charge_settled(event: Event, about: Envelope) -> Iterator[Reaction]:
    """It is held no longer."""
    yield Cancel(_note(subject_of(about)))
    yield Cancel(_hold(subject_of(about)))


def _hold(charge: UUID) -> str:
    return f"hold-{charge}"


def _note(charge: UUID) -> str:
    return f"note-{charge}"


@policies.on(StaffTaskCreated)
def when_task_created(event: StaffTaskCreated, about: Envelope) -> Iterator[Reaction]:
    """Tell who has it, and look again when its time is up."""
    yield NotifyStaff(task=event.task, kind=event.kind, assignee=event.assignee, level=0)
    if DUTIES[event.kind].escalates:
        yield Timer(_escalation(event.task), event.due_at, EscalateTask(task=event.task, level=1))


@policies.on(StaffTaskEscalated)
def when_task_escalated(event: StaffTaskEscalated, about: Envelope) -> Iterator[Reaction]:
    """Likewise for the next person."""
    yield NotifyStaff(task=event.task, kind=event.kind, assignee=event.assignee, level=event.level)
    next = EscalateTask(task=event.task, level=event.level + 1)
    yield Timer(_escalation(event.task), event.due_at, next)


@policies.on(StaffTaskAcknowledged, StaffTaskCompleted)
def when_task_taken(event: Event, about: Envelope) -> Iterator[Reaction]:
    """Somebody answered."""
    yield Cancel(_escalation(subject_of(about)))


def _escalation(task: UUID) -> str:
    return f"escalate-{task}"


@policies.on(StaffNoticeFailed)
def when_notice_failed(event: StaffNoticeFailed, about: Envelope) -> Iterator[Reaction]:
    """Try again; when enough was tried, a task of its own, whose own notice ends there."""
    notice = subject_of(about)
    if event.retry_at:
        again = NotifyAgain(notice=notice, attempt=event.attempt + 1)
        yield Timer(f"notify-{notice}", event.retry_at, again)
    elif event.kind is not TaskKind.MESSAGE_FAILED:
        yield OpenTask(kind=TaskKind.MESSAGE_FAILED, about=notice)
