"""Causes: every command in a store is one that a client sent, or follows from what caused it, and its events
name that; each that a policy or a timer owes is there, a timer's not before its time.

The ids derive as docs/decisions/policy-command-ids.md says: what is written down here are the promises
that it names, those of the names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.faults.evidence import Evidence, Row
from tests.faults.timers import Fact, Log, Set, timers
from tests.faults.values import command_of, derive, fields_of, instant, type_of

Says = Callable[[Fact], bool]

RISKS = ("none", "low", "incomplete", "moderate", "high")


def _always(fact: Fact) -> bool:
    return True


def _is_a_miss(fact: Fact) -> bool:
    return bool(fact["minutes"] == 0)


def _counts_otherwise(fact: Fact) -> bool:
    return bool((fact["minutes"] > 0) != (fact["previous_minutes"] > 0))


def _is_incomplete(fact: Fact) -> bool:
    return bool(fact["level"] == "incomplete")


def _is_raised(fact: Fact) -> bool:
    raised = RISKS.index(fact["level"]) > RISKS.index(fact["previous"])
    return raised and fact["level"] in ("moderate", "high")


def _is_final(fact: Fact) -> bool:
    return fact["retry_at"] is None


def _is_final_of_a_task(fact: Fact) -> bool:
    return _is_final(fact) and fact["kind"] != "message_failed"


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

AT_TIMES: dict[str, tuple[tuple[str, str, str, int, Says], ...]] = {
    "scheduling": (
        ("when_attendance_corrected", "scheduling.AttendanceCorrected", "DetectMisses", 0, _is_a_miss),
    ),
    "billing": (
        ("when_attendance_corrected", "scheduling.AttendanceCorrected", "CountWaiting", 1, _counts_otherwise),
    ),
    "notifications": (
        ("when_session_cancelled", "scheduling.SessionCancelled", "TellOfCancellation", 1, _always),
        ("when_screened", "clinical.SuicideRiskScreened", "OpenTask", 0, _is_incomplete),
        ("when_risk_changed", "clinical.RiskStatusChanged", "OpenTask", 0, _is_raised),
        ("when_message_failed", "notifications.MessageFailed", "OpenTask", 0, _is_final),
        ("when_notice_failed", "notifications.StaffNoticeFailed", "OpenTask", 0, _is_final_of_a_task),
    ),
}
"""Commands that an event leads to where it says so, or that are not the first: with their places."""

EFFECTS: dict[str, tuple[tuple[str, str], ...]] = {
    "billing": (
        ("authorization-requests", "AuthorizationRequested"),
        ("claim-files", "ClaimBatchCut"),
        ("appeals", "AppealFiled"),
    ),
    "notifications": (("mailer", "MessageReleased"), ("notifier", "StaffNoticeReleased")),
}
"""Effects with their events: what is learned from one is a command of its own."""

INBOX, TIMER = "payer-answers", "timer"

CHAIN_MAX = 1_000
"""Longer chains than that go in a circle."""

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
    "EpochBegan",
)
"""Facts about a process itself: each stands alone on a stream that is named by its command."""


class Cause(NamedTuple):
    """What a command's events must say: who carried it out, and after which event of which story."""

    role: str
    correlation: str
    causation: str | None = None


def caused(evidence: Evidence) -> Iterator[str]:
    """A command of a store that nobody sent and nothing caused."""
    log = log_of(evidence)
    for name, store in evidence.stores.items():
        known = _causes(evidence, name, log)
        for event in store["events"]:
            if event["command_id"] not in known and not _is_note(event):
                told = f"{event['actor_role']}, {type_of(event)}"
                yield f"{name} position {event['position']}: command {event['command_id']} ({told})"


def named(evidence: Evidence) -> Iterator[str]:
    """An event that names another cause than its command has, another story, or another doer."""
    log = log_of(evidence)
    by_id = {event["id"]: event for store in evidence.stores.values() for event in store["events"]}
    foreign = {one["id"] for one in evidence.injected}
    for name, store in evidence.stores.items():
        known = _causes(evidence, name, log)
        for event in store["events"]:
            said = Cause(event["actor_role"], event["correlation_id"], event["causation_id"])
            if cause := known.get(event["command_id"]):
                other = [part for part in Cause._fields if getattr(said, part) != getattr(cause, part)]
            elif said.causation not in foreign:
                other = list(_other_in_note(name, event, by_id))
            else:
                other = []
            if other:
                yield f"{name} position {event['position']}, {type_of(event)}: {', '.join(other)}"


def _other_in_note(name: str, event: Row, by_id: dict[str, Row]) -> Iterator[str]:
    """What a note says otherwise: of an event it has the story, else it is a story of its own.

    An effect's note is of an event that the effect is of.
    """
    cause = by_id.get(event["causation_id"] or "")
    if event["correlation_id"] != (cause["correlation_id"] if cause else event["command_id"]):
        yield "correlation"
    adapter = event["actor_role"].removeprefix("adapter:")
    of = dict(EFFECTS.get(name, ())).get(adapter)
    if (event["causation_id"] and not cause) or (of and (cause is None or type_of(cause) != of)):
        yield "causation"


def rooted(evidence: Evidence) -> Iterator[str]:
    """An event whose chain of causes does not lead back to what a client, or the payer, sent."""
    by_id = {event["id"]: event for store in evidence.stores.values() for event in store["events"]}
    begun = {id for name in evidence.stores for id in _sent(evidence, name)} | _answered(evidence).keys()
    foreign = {one["id"] for one in evidence.injected}
    for name, store in evidence.stores.items():
        for event in store["events"]:
            first, steps = event, 0
            while first["causation_id"] in by_id and steps < CHAIN_MAX:
                first, steps = by_id[first["causation_id"]], steps + 1
            if first["command_id"] in begun or _is_note(first):
                ended = first["causation_id"] is None or first["causation_id"] in foreign
                if ended and first["correlation_id"] == event["correlation_id"]:
                    continue
            told = f"after {steps} steps at {type_of(first)} of {first['actor_role']}"
            yield f"{name} position {event['position']}, {type_of(event)}: {told}"


def _is_note(event: Row) -> bool:
    alone = event["stream"].endswith(f"-{event['command_id']}") and event["stream_version"] == 1
    return type_of(event) in NOTES and alone


def owed(evidence: Evidence) -> Iterator[str]:
    """A command of a policy, or of an answer of the payer, that was never carried out."""
    log = log_of(evidence)
    for name, store in evidence.stores.items():
        memory = {row["command_id"] for row in store["commands"]}
        for owes, event in reactions(name, log):
            if owes.id(name, event) not in memory:
                yield f"{name} {owes.policy} of {owes.kind} {event['position']}: {owes.command}"
    memory = {row["command_id"] for row in evidence.stores["billing"]["commands"]}
    for answer in evidence.answers:
        if _answer_command(answer) not in memory:
            yield f"billing did not take in {answer['name']}"


def fired(evidence: Evidence) -> Iterator[str]:
    """A timer whose time has come and that did not fire; one to come that is not there, or that fired."""
    log, now = log_of(evidence), instant(evidence.now)
    for name, store in evidence.stores.items():
        memory = {row["command_id"] for row in store["commands"]}
        waiting = {(row["key"], row["event_id"]) for row in store["timers"]}
        for row in store["timers"]:
            if instant(row["due_at"]) <= now:
                yield f"{name} timer {row['key']} is due since {row['due_at']}"
        set, off = timers(name, log), max(_skews(evidence, name), default=timedelta())
        yield from _early(store["events"], name, set, off)
        last = {key: (due, event, id) for key, due, event, id in set}
        for key, (due, event, id) in last.items():
            if due and due <= now and id not in memory:
                yield f"{name} timer {key} was due at {due.isoformat()} and did not fire"
            elif due and due > now + off and id in memory:
                yield f"{name} timer {key}, due at {due.isoformat()}, has fired"
            elif due and due > now and id not in memory and (key, event["id"]) not in waiting:
                yield f"{name} timer {key}, due at {due.isoformat()}, is gone"


def _early(events: list[Row], name: str, set: list[Set], off: timedelta) -> Iterator[str]:
    """Timers that fired before they were due, by the clock of who fired them.

    A clock that was set back in that very moment had shown that it was time.
    """
    first: dict[str, datetime] = {}
    for event in events:
        if event["actor_role"] == TIMER:
            id, at = event["command_id"], instant(event["recorded_at"])
            first[id] = min(at, first.get(id, at))
    for key, due, _, id in set:
        if due and id in first and first[id] < due - off:
            yield f"{name} timer {key}, due at {due.isoformat()}, fired at {first[id].isoformat()}"


def _skews(evidence: Evidence, name: str) -> Iterator[timedelta]:
    """By how much the round set a service's clock off."""
    for fault in evidence.faults:
        if fault["kind"] == "Skew" and (told := re.fullmatch(rf"{name} [+-](\d+) h", fault["told"])):
            yield timedelta(hours=int(told[1]))


def log_of(evidence: Evidence) -> Log:
    """Events by service and type, in order, with their fields."""
    found: Log = defaultdict(list)
    for name, store in evidence.stores.items():
        for event in store["events"]:
            found[f"{name}.{type_of(event)}"].append((event, fields_of(event)))
    return found


class Owes(NamedTuple):
    """A command that a policy owes for an event that says so."""

    policy: str
    kind: str
    command: str
    place: int = 0
    says: Says = _always

    def id(self, service: str, event: Row) -> str:
        """The command's id."""
        return derive(service, "policy", self.policy, event["id"], self.command, self.place)


def owes(service: str) -> Iterator[Owes]:
    """All that the policies of a service owe."""
    yield from (Owes(*each) for each in OWED.get(service, ()))
    yield from (Owes(*each) for each in AT_TIMES.get(service, ()))


def reactions(service: str, log: Log) -> Iterator[tuple[Owes, Row]]:
    """What the policies of a service owe, with the events that they owe it for."""
    for each in owes(service):
        for event, fact in log[each.kind]:
            if each.says(fact):
                yield each, event


def reached(evidence: Evidence) -> set[Owes]:
    """What was owed at all in a round."""
    log = log_of(evidence)
    return {each for name in evidence.stores for each, _ in reactions(name, log)}


def _causes(evidence: Evidence, service: str, log: Log) -> dict[str, Cause]:
    """What the events of each command must say, of commands that clients sent or something caused."""
    found = _sent(evidence, service)
    for each, event in reactions(service, log):
        found[each.id(service, event)] = Cause(f"policy:{each.policy}", event["correlation_id"], event["id"])
    for _, _, event, id in timers(service, log):
        found[id] = Cause(TIMER, event["correlation_id"], event["id"])
    for effect, kind in EFFECTS.get(service, ()):
        for event, _ in log[f"{service}.{kind}"]:
            id = derive(service, "adapter", effect, event["id"])
            found[id] = Cause(f"adapter:{effect}", event["correlation_id"], event["id"])
    return found | (_answered(evidence) if service == "billing" else {})


def _sent(evidence: Evidence, service: str) -> dict[str, Cause]:
    """Commands of clients: each begins a story."""
    return {
        command_of(each): Cause(each["actor"].partition(";")[2], command_of(each))
        for each in evidence.history
        if each["service"] == service
    }


def _answered(evidence: Evidence) -> dict[str, Cause]:
    """Commands of the payer's answers, by name and content: each begins a story."""
    ids = [_answer_command(answer, more) for answer in evidence.answers for more in ("", "|refused")]
    return {id: Cause(f"adapter:{INBOX}", id) for id in ids}


def _answer_command(answer: Row, more: str = "") -> str:
    return derive("billing", "adapter", INBOX, f"{answer['name']}|{answer['digest']}{more}")
