"""Timers: which events set and take back which, and for when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.faults.evidence import Row
from tests.faults.values import derive, instant, subject_of

Fact = dict[str, Any]
Log = dict[str, list[tuple[Row, Fact]]]
"""Events by service and type, in order, with their fields."""

SETTLES = timedelta(seconds=1)
ESCALATING = ("crisis", "risk", "call_patient")
NOTE_CHASED, HELD_LONG, NOTE_LONG = timedelta(hours=72), timedelta(hours=72), timedelta(days=7)

Set = tuple[str, datetime | None, Row, str]
"""A timer's key, its time (none where it is taken back), its event, and the command that it becomes."""


def timers(service: str, log: Log) -> list[Set]:
    """Timers as events set and take them back, each key's in order."""
    found = [
        (key, due, event, derive(service, "timer", key, event["id"]))
        for kind, sets in TIMERS.get(service, {}).items()
        for event, fact in log[kind]
        for key, due in sets(event, fact)
    ]
    return sorted(found, key=lambda one: int(one[2]["position"]))


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
