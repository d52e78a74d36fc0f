"""Causes: every command in a store is one that a client sent, or follows from what caused it; each that a
policy or a timer owes is there.

The ids derive as docs/decisions/policy-command-ids.md says: what is written down here are the promises
that it names, those of the names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.faults.evidence import Evidence, Row
from tests.faults.values import command_of, derive, fields_of, instant, subject_of, type_of

Fact = dict[str, Any]

OWED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "scheduling": (("when_session_missed", "scheduling.SessionMissed", "DetectMisses"),),
    "billing": (
        ("when_patient_admitted", "intake.PatientAdmitted", "RegisterCoverage"),
        ("when_contract_agreed", "billing.ContractAgreed", "ReviewCoverages"),
        ("when_attended", "scheduling.SessionAttended", "CountSession"),
        ("when_attended", "scheduling.SessionPartiallyAttended", "CountSession"),
        ("when_attendance_corrected", "scheduling.AttendanceCorrected", "CountSession"),
        ("when_session_scheduled", "scheduling.SessionScheduled", "CountWaiting"),
        ("when_session_closed", "scheduling.SessionClosed", "CountWaiting"),
        ("when_group_scheduled", "scheduling.GroupSeriesScheduled", "CountWaiting"),
        ("when_note_signed", "clinical.NoteSigned", "CountSession"),
        ("when_note_withdrawn", "clinical.NoteWithdrawn", "CountSession"),
        ("when_diagnosis_recorded", "clinical.DiagnosisRecorded", "DecideEpisode"),
        ("when_coverage_registered", "billing.CoverageRegistered", "DecideEpisode"),
        ("when_authorization_answered", "billing.AuthorizationApproved", "DecideAfterAnswer"),
        ("when_authorization_answered", "billing.AuthorizationDenied", "DecideAfterAnswer"),
        ("when_charge_held", "billing.ChargeHeld", "DecideCharge"),
        ("when_claim_denied", "billing.ClaimDenied", "OpenDenial"),
        ("when_claim_paid", "billing.ClaimPaid", "SettleDenials"),
    ),
    "notifications": (
        ("when_patient_admitted", "intake.PatientAdmitted", "RequestMessage"),
        ("when_session_missed", "scheduling.SessionMissed", "FollowUpMiss"),
        ("when_screen_requested", "clinical.SuicideRiskScreenRequested", "OpenTask"),
        ("when_misses_detected", "scheduling.ConsecutiveMissesDetected", "OpenTask"),
        ("when_enrollment_rejected", "scheduling.EnrollmentRejected", "OpenTask"),
        ("when_waitlisted", "scheduling.WaitlistEntryAdded", "OpenTask"),
        ("when_authorization_denied", "billing.AuthorizationDenied", "OpenTask"),
        ("when_authorization_runs_low", "billing.AuthorizationRunningLow", "OpenTask"),
        ("when_denial_opened", "billing.DenialOpened", "OpenTask"),
        ("when_remittance_claim_parked", "billing.RemittanceClaimParked", "OpenTask"),
        ("when_claim_needs_review", "billing.ClaimNeedsReview", "OpenTask"),
        ("when_claim_correction_due", "billing.ClaimCorrectionDue", "OpenTask"),
        ("when_exchange_failed", "billing.ExchangeFailed", "OpenTask"),
        ("when_task_created", "notifications.StaffTaskCreated", "NotifyStaff"),
        ("when_task_escalated", "notifications.StaffTaskEscalated", "NotifyStaff"),
    ),
}
"""By service: a policy, an event, and the command that comes first of it whatever the event says."""

AT_TIMES: dict[str, tuple[tuple[str, str, str, int], ...]] = {
    "scheduling": (("when_attendance_corrected", "scheduling.AttendanceCorrected", "DetectMisses", 0),),
    "billing": (("when_attendance_corrected", "scheduling.AttendanceCorrected", "CountWaiting", 1),),
    "notifications": (
        ("when_session_cancelled", "scheduling.SessionCancelled", "TellOfCancellation", 1),
        ("when_screened", "clinical.SuicideRiskScreened", "OpenTask", 0),
        ("when_risk_changed", "clinical.RiskStatusChanged", "OpenTask", 0),
        ("when_message_failed", "notifications.MessageFailed", "OpenTask", 0),
        ("when_notice_failed", "notifications.StaffNoticeFailed", "OpenTask", 0),
    ),
}
"""Commands that an event may lead to, with their places."""

EFFECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "billing": (
        ("authorization-requests", "AuthorizationRequested"),
        ("claim-files", "ClaimBatchCut"),
        ("appeals", "AppealFiled"),
    ),
    "notifications": (("mailer", "MessageReleased"), ("notifier", "StaffNoticeReleased")),
}
"""Effects with their events: what is learned from one is a command of its own."""

INBOX = "payer-answers"

NOTES = (
    "AccessRecorded",
    "InputRefused",
    "RecordParked",
    "RecordRedriven",
    "RecordDiscarded",
    "ReadingPaused",
    "ReadingResumed",
    "ReadingReset",
    "DifferenceAccepted",
    "TopicRepublished",
    "StoreRestored",
)
"""Facts about a process itself: each stands alone on a stream that is named by its command."""

SETTLES = timedelta(seconds=1)
ESCALATING = ("crisis", "risk", "call_patient")
NOTE_CHASED, HELD_LONG, NOTE_LONG = timedelta(hours=72), timedelta(hours=72), timedelta(days=7)


def caused(evidence: Evidence) -> Iterator[str]:
    """A command of a store that nobody sent and nothing caused."""
    log = _log(evidence)
    for name, store in evidence.stores.items():
        known = _sent(evidence, name) | set(_owed(name, log)) | _at_times(name, log)
        known |= {id for _, _, _, id in _timers(name, log)} | _learned(evidence, name)
        for event in store["events"]:
            if event["command_id"] not in known and not _is_note(event):
                told = f"{event['actor_role']}, {type_of(event)}"
                yield f"{name} position {event['position']}: command {event['command_id']} ({told})"


def _is_note(event: Row) -> bool:
    alone = event["stream"].endswith(f"-{event['command_id']}") and event["stream_version"] == 1
    return type_of(event) in NOTES and alone


def owed(evidence: Evidence) -> Iterator[str]:
    """A command of a policy, or of an answer of the payer, that was never carried out."""
    log = _log(evidence)
    for name, store in evidence.stores.items():
        memory = {row["command_id"] for row in store["commands"]}
        for id, told in _owed(name, log).items():
            if id not in memory:
                yield f"{name} {told}"
    memory = {row["command_id"] for row in evidence.stores["billing"]["commands"]}
    for answer in evidence.answers:
        if _answer_command(answer) not in memory:
            yield f"billing did not take in {answer['name']}"


def fired(evidence: Evidence) -> Iterator[str]:
    """A timer whose time has come and that did not fire; one to come that is not there."""
    log, now = _log(evidence), instant(evidence.now)
    for name, store in evidence.stores.items():
        memory = {row["command_id"] for row in store["commands"]}
        waiting = {(row["key"], row["event_id"]) for row in store["timers"]}
        for row in store["timers"]:
            if instant(row["due_at"]) <= now:
                yield f"{name} timer {row['key']} is due since {row['due_at']}"
        last = {key: (due, event, id) for key, due, event, id in _timers(name, log)}
        for key, (due, event, id) in last.items():
            if due and due <= now and id not in memory:
                yield f"{name} timer {key} was due at {due.isoformat()} and did not fire"
            elif due and due > now and (key, event) not in waiting:
                yield f"{name} timer {key}, due at {due.isoformat()}, is gone"


Log = dict[str, list[tuple[Row, Fact]]]


def _log(evidence: Evidence) -> Log:
    """Events by service and type, in order, with their fields."""
    found: Log = defaultdict(list)
    for name, store in evidence.stores.items():
        for event in store["events"]:
            found[f"{name}.{type_of(event)}"].append((event, fields_of(event)))
    return found


def _sent(evidence: Evidence, service: str) -> set[str]:
    return {command_of(operation) for operation in evidence.history if operation["service"] == service}


def _owed(service: str, log: Log) -> dict[str, str]:
    return {
        derive(service, "policy", policy, event["id"], command, 0): f"{policy} of {kind} {event['position']}"
        for policy, kind, command in OWED.get(service, ())
        for event, _ in log[kind]
    }


def _at_times(service: str, log: Log) -> set[str]:
    return {
        derive(service, "policy", policy, event["id"], command, place)
        for policy, kind, command, place in AT_TIMES.get(service, ())
        for event, _ in log[kind]
    }


def _learned(evidence: Evidence, service: str) -> set[str]:
    """Commands of adapters: of effects by their events, of the payer's answers by name and content."""
    effects = EFFECTS.get(service, ())
    found = {
        derive(service, "adapter", effect, event["id"])
        for event in evidence.stores[service]["events"]
        for effect, kind in effects
        if type_of(event) == kind
    }
    if service == "billing":
        for answer in evidence.answers:
            found |= {_answer_command(answer), _answer_command(answer, "|refused")}
    return found


def _answer_command(answer: Row, more: str = "") -> str:
    return derive("billing", "adapter", INBOX, f"{answer['name']}|{answer['digest']}{more}")


Set = tuple[str, datetime | None, str, str]
"""A timer's key, its time (none where it is taken back), its event, and the command that it becomes."""


def _timers(service: str, log: Log) -> list[Set]:
    """Timers as events set and take them back, each key's in order."""
    found = [
        (event["position"], key, due, event["id"])
        for kind, sets in TIMERS.get(service, {}).items()
        for event, fact in log[kind]
        for key, due in sets(event, fact)
    ]
    return [
        (key, due, event, derive(service, "timer", key, event))
        for _, key, due, event in sorted(found, key=lambda one: one[0])
    ]


Sets = Callable[[Row, Fact], Iterator[tuple[str, datetime | None]]]


def _one(key: str, due: Callable[[Row, Fact], datetime | None]) -> Sets:
    """One timer, by a key that names fields of the event; ``subject`` is what its stream is about."""

    def sets(event: Row, fact: Fact) -> Iterator[tuple[str, datetime | None]]:
        yield key.format_map({**fact, "subject": subject_of(event)}), due(event, fact)

    return sets


def _field(name: str) -> Callable[[Row, Fact], datetime | None]:
    return lambda event, fact: instant(fact[name]) if fact[name] else None


def _settled(event: Row, fact: Fact) -> datetime:
    return instant(event["recorded_at"]) + SETTLES


def _never(event: Row, fact: Fact) -> None:
    return None


def _closing(event: Row, fact: Fact) -> Iterator[tuple[str, datetime | None]]:
    if fact["ended_at"]:
        yield f"close-{fact['session']}-{fact['patient']}", day_close(instant(fact["ended_at"]))


def _retried(prefix: str) -> Sets:
    def sets(event: Row, fact: Fact) -> Iterator[tuple[str, datetime | None]]:
        if fact["retry_at"]:
            yield f"{prefix}-{subject_of(event)}", instant(fact["retry_at"])

    return sets


def _held(event: Row, fact: Fact) -> Iterator[tuple[str, datetime | None]]:
    charge, since, unsigned = subject_of(event), instant(event["occurred_at"]), fact["rule"] == "NoteUnsigned"
    yield f"note-{charge}", since + NOTE_CHASED if unsigned else None
    yield f"hold-{charge}", since + (NOTE_LONG if unsigned else HELD_LONG)


def _moved(event: Row, fact: Fact) -> Iterator[tuple[str, datetime | None]]:
    charge = subject_of(event)
    yield f"note-{charge}", None
    yield f"hold-{charge}", None


def _escalating(event: Row, fact: Fact) -> Iterator[tuple[str, datetime | None]]:
    if fact["kind"] in ESCALATING:
        yield f"escalate-{fact['task']}", instant(fact["due_at"])


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, UTC)


def day_close(after: datetime) -> datetime:
    """The first 06:00 UTC after an instant: then a day of service is decided."""
    found = _at(after.date(), time(6))
    return found if found > after else found + timedelta(days=1)


def _cutoff(event: Row, fact: Fact) -> datetime:
    """Saturdays at 06:30 UTC."""
    after = instant(event["recorded_at"])
    found = _at(after.date() + timedelta(days=(5 - after.weekday()) % 7), time(6, 30))
    return found if found > after else found + timedelta(days=7)


def _deadline(event: Row, fact: Fact) -> datetime:
    return _at(date.fromisoformat(fact["appeal_deadline"]) + timedelta(days=1), time(12))


def _reminder(event: Row, fact: Fact) -> datetime:
    """At 17:00 UTC, at least 18 hours before the session."""
    latest = instant(fact["starts_at"]) - timedelta(hours=18)
    found = _at(latest.date(), time(17))
    return found if found <= latest else found - timedelta(days=1)


TIMERS: dict[str, dict[str, Sets]] = {
    "scheduling": {
        "intake.PatientAdmitted": _one("place-{episode}", _settled),
        "intake.PatientDischarged": _one("release-{episode}", _settled),
    },
    "billing": {
        "scheduling.SessionAttended": _closing,
        "scheduling.SessionPartiallyAttended": _closing,
        "scheduling.AttendanceCorrected": _closing,
        "billing.ContractAgreed": _one("cutoff-{payer}", _cutoff),
        "billing.ClaimsCutOff": _one("cutoff-{payer}", _field("next_at")),
        "billing.DenialOpened": _one("denial-{denial}", _deadline),
        "billing.DenialClosed": _one("denial-{subject}", _never),
    },
    "notifications": {
        "scheduling.SessionScheduled": _one("remind-{session}", _reminder),
        "scheduling.SessionCancelled": _one("remind-{session}", _never),
        "notifications.MessageRequested": _one("post-{message}", _field("post_at")),
        "notifications.MessageDeferred": _one("post-{subject}", _field("until")),
        "notifications.MessageFailed": _retried("post"),
        "notifications.StaffNoticeFailed": _retried("notify"),
        "notifications.StaffTaskCreated": _escalating,
        "notifications.StaffTaskEscalated": _one("escalate-{task}", _field("due_at")),
        "notifications.StaffTaskAcknowledged": _one("escalate-{subject}", _never),
        "notifications.StaffTaskCompleted": _one("escalate-{subject}", _never),
        "billing.ChargeHeld": _held,
        "billing.ChargeCaptured": _moved,
        "billing.ChargeVoided": _moved,
    },
}
"""By service and event: the timers that it sets, or takes back."""
