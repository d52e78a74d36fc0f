"""One patient's day of service: its evidence, and what was decided about charging it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.billing import (
    AttendanceCounted,
    ChargeCaptured,
    ChargeClaimed,
    ChargeDayOpened,
    ChargeHeld,
    ChargeVoided,
    NoteCounted,
)
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.billing.domain.charging import AttendedInterval


class ChargeStatus(StrEnum):
    """How far a day of service is."""

    OPEN = "open"
    HELD = "held"
    CAPTURED = "captured"
    CLAIMED = "claimed"
    VOIDED = "voided"


NOTHING_ATTENDED = "nothing-attended"


@dataclass(frozen=True, slots=True)
class Attendance:
    """What one session's attendance says."""

    started_at: datetime
    ended_at: datetime
    minutes: int


def charge_id(episode: UUID, day: date) -> UUID:
    """The id of the one charge of an episode's day."""
    return derive("charge", episode, day)


class ChargeDay(Aggregate):
    """Attendances and notes of a local date; held, captured, claimed or voided."""

    category: ClassVar[str] = "charge"
    patient: UUID | None = None
    episode: UUID | None = None
    service_date: date = date.min
    attendances: dict[UUID, Attendance] = field(default_factory=dict)
    notes: dict[UUID, tuple[bool, str | None]] = field(default_factory=dict)
    status: ChargeStatus = ChargeStatus.OPEN
    held: tuple[str, int] | None = None
    captured: ChargeCaptured | None = None
    claim: tuple[UUID, str] | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ChargeDayOpened():
                self.patient, self.episode = fact.patient, fact.episode
                self.service_date = fact.service_date
            case AttendanceCounted():
                times = (datetime.fromisoformat(fact.started_at), datetime.fromisoformat(fact.ended_at))
                self.attendances = self.attendances | {fact.session: Attendance(*times, fact.minutes)}
            case NoteCounted():
                self.notes = self.notes | {fact.session: (fact.signed, fact.clinician)}
            case ChargeHeld():
                self.status, self.held = ChargeStatus.HELD, (fact.rule, fact.minutes)
            case ChargeCaptured():
                self.status, self.captured, self.held = ChargeStatus.CAPTURED, fact, None
            case ChargeClaimed():
                self.status, self.claim = ChargeStatus.CLAIMED, (fact.claim, fact.number)
            case ChargeVoided():
                self.status, self.captured, self.held = ChargeStatus.VOIDED, None, None

    @classmethod
    def open(cls, fact: ChargeDayOpened, at: datetime) -> Self:
        """A day of service came to our notice."""
        return cls.start(fact.charge, fact, at)

    @property
    def closed(self) -> bool:
        """Whether the day was decided once: from then on news decide again at once."""
        return self.status is not ChargeStatus.OPEN

    @property
    def sessions(self) -> list[UUID]:
        """Sessions with attendance, the earliest first."""
        attended = [(one.started_at, session) for session, one in self.attendances.items() if one.minutes]
        return [session for _, session in sorted(attended)]

    @property
    def clinician(self) -> str | None:
        """Who signed the first session's note."""
        signed = (self.notes.get(session, (False, None)) for session in self.sessions)
        return next((clinician for is_signed, clinician in signed if is_signed and clinician), None)

    def intervals(self, service_code: str, members: dict[UUID, int]) -> list[AttendedInterval]:
        """The day as the charging rules take it; members are the sizes of groups where known."""
        return [
            AttendedInterval(
                start=self.attendances[session].started_at,
                end=self.attendances[session].ended_at,
                service_code=service_code,
                note_signed=self.notes.get(session, (False, None))[0],
                members=members.get(session),
            )
            for session in self.sessions
        ]

    def count_attendance(self, fact: AttendanceCounted, at: datetime) -> None:
        """An attendance counts; the same facts again change nothing."""
        times = (datetime.fromisoformat(fact.started_at), datetime.fromisoformat(fact.ended_at))
        if self.attendances.get(fact.session) != Attendance(*times, fact.minutes):
            self.record(fact, at)

    def count_note(self, fact: NoteCounted, at: datetime) -> None:
        """A note is there or gone; the same facts again change nothing."""
        if self.notes.get(fact.session, (False, None)) != (fact.signed, fact.clinician):
            self.record(fact, at)

    def hold(self, rule: str, minutes: int, at: datetime) -> None:
        """The day waits; the same reason again changes nothing."""
        if self.held != (rule, minutes):
            self.record(ChargeHeld(rule=rule, minutes=minutes), at)

    def capture(self, fact: ChargeCaptured, at: datetime) -> None:
        """The day became a charge."""
        self.record(fact, at)

    def claimed(self, claim: UUID, number: str, at: datetime) -> None:
        """The charge was put on a claim."""
        self.record(ChargeClaimed(claim=claim, number=number), at)

    def void(self, reason: str, at: datetime) -> None:
        """The charge no longer stands."""
        if self.status is not ChargeStatus.VOIDED:
            claim = self.claim[0] if self.claim else None
            self.record(ChargeVoided(reason=reason, claim=claim), at)
