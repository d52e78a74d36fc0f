"""Whose task it is and by when: one row for each kind, as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from caretrail_contracts.notifications import TaskKind

ESCALATE_AFTER = timedelta(minutes=15)
"""A risk or crisis task that nobody acknowledged goes on to the next person; a setting."""


class Desk(StrEnum):
    """Where a task lands."""

    ON_CALL = "on-call"
    BILLING = "billing-desk"
    CARE = "care-desk"
    CLINICAL = "clinical-desk"


@dataclass(frozen=True, slots=True)
class Duty:
    """Who takes tasks of a kind, and within what time. One that escalates goes round the on-call list."""

    desk: Desk
    within: timedelta
    escalates: bool = False


DUTIES = {
    TaskKind.CRISIS: Duty(Desk.ON_CALL, ESCALATE_AFTER, escalates=True),
    TaskKind.RISK: Duty(Desk.ON_CALL, ESCALATE_AFTER, escalates=True),
    TaskKind.CALL_PATIENT: Duty(Desk.ON_CALL, timedelta(hours=4), escalates=True),
    TaskKind.OUTREACH: Duty(Desk.CARE, timedelta(hours=8)),
    TaskKind.ENROLLMENT: Duty(Desk.CARE, timedelta(days=1)),
    TaskKind.MESSAGE_FAILED: Duty(Desk.CARE, timedelta(days=1)),
    TaskKind.AUTHORIZATION: Duty(Desk.BILLING, timedelta(days=2)),
    TaskKind.REMITTANCE_REVIEW: Duty(Desk.BILLING, timedelta(days=2)),
    TaskKind.CLAIM_CORRECTION: Duty(Desk.BILLING, timedelta(days=2)),
    TaskKind.EXCHANGE: Duty(Desk.BILLING, timedelta(days=1)),
    TaskKind.CHARGE_HOLD: Duty(Desk.BILLING, timedelta(days=2)),
    TaskKind.MISSING_NOTE: Duty(Desk.CLINICAL, timedelta(days=1)),
    TaskKind.DENIAL: Duty(Desk.BILLING, timedelta(days=5)),
}
"""Program policy: calls and outreach are made the same day. A denial has a date of its own."""

URGENT = frozenset({TaskKind.CRISIS, TaskKind.RISK})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on call, or a desk: a code, and the address that its mail goes to."""

    code: str
    email: str


@dataclass(frozen=True, slots=True)
class Staffing:
    """Who is on call, in order, the desks, and how long an urgent task waits for a word."""

    on_call: tuple[Person, ...]
    billing_desk: str
    care_desk: str
    clinical_desk: str
    escalate_after: timedelta = ESCALATE_AFTER

    def assignee(self, kind: TaskKind, level: int = 0) -> str:
        """Who has a task of this kind after so many escalations, round and round the list."""
        desk = DUTIES[kind].desk
        if desk is not Desk.ON_CALL:
            return desk.value
        return self.on_call[level % len(self.on_call)].code

    def due_at(self, kind: TaskKind, at: datetime) -> datetime:
        """By when a task of this kind that is given at ``at`` must be taken on."""
        return at + (self.escalate_after if kind in URGENT else DUTIES[kind].within)

    def email_of(self, code: str) -> str | None:
        """The address of a person on call or of a desk; None for a code that is not known any more."""
        desks = {
            Desk.BILLING.value: self.billing_desk,
            Desk.CARE.value: self.care_desk,
            Desk.CLINICAL.value: self.clinical_desk,
        }
        people = {person.code: person.email for person in self.on_call}
        return (people | desks).get(code)


def end_of(day: date) -> datetime:
    """The end of the last working hour of a day in UTC, for tasks that are due on a date."""
    return datetime.combine(day, time(21), UTC)
