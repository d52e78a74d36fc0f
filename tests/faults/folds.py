"""Read models folded once more, by hand, from the log, and compared with the tables that the stack keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.business import UUID_CHARS, facts
from tests.faults.evidence import Evidence, Row

Folded = dict[tuple[str, ...], dict[str, Any]]


def compared(evidence: Evidence) -> Iterator[str]:
    """Rows that are missing, too many, or other than folded."""
    for (service, table), (key, fold) in FOLDS.items():
        expected = fold(evidence)
        found = {tuple(row[name] for name in key): row for row in evidence.stores[service]["tables"][table]}
        for id in expected.keys() - found.keys():
            yield f"{service}.{table} lacks {'/'.join(id)}"
        for id in found.keys() - expected.keys():
            yield f"{service}.{table} has {'/'.join(map(str, id))} without cause"
        for id in expected.keys() & found.keys():
            other = [name for name, value in expected[id].items() if found[id][name] != value]
            if other:
                yield f"{service}.{table} {'/'.join(id)} differs in {', '.join(other)}"


def _subject(event: Row) -> str:
    return str(event["stream"][-UUID_CHARS:])


def referrals(evidence: Evidence) -> Folded:
    """How far each referral has come."""
    found: Folded = {}
    status = {
        "ReferralReceived": "received",
        "ReferralDuplicateDetected": "duplicate",
        "ReferralTriaged": "triaged",
        "ReferralAccepted": "accepted",
        "ReferralDeclined": "declined",
        "PatientAdmitted": "admitted",
    }
    for event, kind, fact in facts(evidence, "intake", *status):
        id = fact["referral"] if kind in ("ReferralReceived", "PatientAdmitted") else _subject(event)
        row = found.setdefault((id,), {})
        row["status"] = status[kind]
        if kind == "ReferralReceived":
            row |= {"patient": fact["patient"], "position": event["position"]}
        elif kind == "PatientAdmitted":
            row["episode"] = fact["episode"]
    return found


def episodes(evidence: Evidence) -> Folded:
    """Who was admitted and discharged when; a later release also shows since when they were referred."""
    found: Folded = {}
    later = any("referred_on" in row for row in evidence.stores["intake"]["tables"]["episodes"])
    for event, kind, fact in facts(evidence, "intake", "PatientAdmitted", "PatientDischarged"):
        id = fact["episode"] if kind == "PatientAdmitted" else _subject(event)
        row = found.setdefault((id,), {})
        if kind == "PatientAdmitted":
            named = ("patient", "referral", "track", "admitted_on")
            row |= {name: fact[name] for name in named} | {"discharged_on": None}
            row |= {"referred_on": fact.get("referred_on")} if later else {}
        else:
            row["discharged_on"] = fact["discharged_on"]
    return found


def roster(evidence: Evidence) -> Folded:
    """Who has or had which seat."""
    found: Folded = {}
    for event, kind, fact in facts(evidence, "scheduling", "PatientEnrolledInGroup", "EnrollmentEnded"):
        row = found.get((fact["enrollment"],), {})
        if kind == "PatientEnrolledInGroup":
            named = ("patient", "episode", "seat", "starts_on")
            row |= {name: fact[name] for name in named} | {"group_id": fact["group"], "ended": False}
            row |= {"position": event["position"], "ends_on": None}
        elif fact.get("ends_on") is None:
            continue
        else:
            row |= {"ended": True, "ends_on": fact["ends_on"]}
        found[fact["enrollment"],] = row
    return found


def waitlist(evidence: Evidence) -> Folded:
    """Who waits for a seat."""
    found: Folded = {}
    kinds = ("WaitlistEntryAdded", "PatientEnrolledInGroup", "EnrollmentEnded")
    for event, kind, fact in facts(evidence, "scheduling", *kinds):
        if kind == "WaitlistEntryAdded":
            found[fact["enrollment"],] = {"patient": fact["patient"], "position": event["position"]}
        else:
            found.pop((fact["enrollment"],), None)
    return found


def charge_days(evidence: Evidence) -> Folded:
    """Days of service by their state."""
    found: Folded = {}
    states = {
        "ChargeDayOpened": "open",
        "ChargeHeld": "held",
        "ChargeCaptured": "captured",
        "ChargeClaimed": "claimed",
        "ChargeVoided": "voided",
    }
    for event, kind, fact in facts(evidence, "billing", *states):
        id = fact["charge"] if kind in ("ChargeDayOpened", "ChargeCaptured") else _subject(event)
        row = found.setdefault((id,), {})
        row["status"] = states[kind]
        if kind == "ChargeDayOpened":
            row |= {name: fact[name] for name in ("patient", "episode", "service_date")}
        elif kind == "ChargeCaptured":
            row |= {"amount": fact["amount"], "code": fact["code"], "units": fact["units"], "rule": None}
        elif kind in ("ChargeHeld", "ChargeVoided"):
            row["rule"] = fact["rule" if kind == "ChargeHeld" else "reason"]
    return found


def attendances(evidence: Evidence) -> Folded:
    """Billing's view of who was there, from scheduling's log."""
    found: Folded = {}
    kinds = ("SessionAttended", "SessionPartiallyAttended")
    for event, _, fact in facts(evidence, "scheduling", *kinds):
        row = {"episode": fact["episode"], "minutes": fact["minutes"], "source_event": event["id"]}
        found[fact["session"], fact["patient"]] = row
    return found


def messages(evidence: Evidence) -> Folded:
    """Messages by what became of them."""
    found: Folded = {}
    states = {
        "MessageRequested": "waiting",
        "MessageReleased": "released",
        "MessageSuppressed": "suppressed",
        "MessageSent": "sent",
        "MessageFailed": "failed",
    }
    for event, kind, fact in facts(evidence, "notifications", *states):
        id = fact.get("message", _subject(event))
        row = found.setdefault((id,), {})
        row["status"] = states[kind]
        if kind == "MessageFailed" and fact.get("retry_at") is not None:
            row["status"] = "waiting"
        if kind == "MessageRequested":
            row |= {name: fact[name] for name in ("patient", "template", "about")}
    return found


Fold = Callable[[Evidence], Folded]

FOLDS: dict[tuple[str, str], tuple[tuple[str, ...], Fold]] = {
    ("intake", "referrals"): (("referral",), referrals),
    ("intake", "episodes"): (("episode",), episodes),
    ("scheduling", "roster"): (("enrollment",), roster),
    ("scheduling", "waitlist"): (("enrollment",), waitlist),
    ("billing", "charge_days"): (("charge",), charge_days),
    ("billing", "attendances"): (("session", "patient"), attendances),
    ("notifications", "messages"): (("message",), messages),
}
"""Each table that is folded, with its key."""
