"""Intake's aggregates: persons, referrals, episodes of care."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.codes import LevelOfCare, Urgency
from caretrail_contracts.event import Event
from caretrail_contracts.intake import (
    ContactChanged,
    DeclineReason,
    DischargeType,
    PatientAdmitted,
    PatientDischarged,
    PersonRegistered,
    ReferralAccepted,
    ReferralDeclined,
    ReferralDuplicateDetected,
    ReferralReceived,
    ReferralTriaged,
)
from chassis.aggregate import Aggregate
from chassis.refusal import Refusal

DUPLICATE_DAYS = 30
"""The same person from the same kind of source within these days is a duplicate."""


class NotWaiting(Refusal):
    """Referral {referral} is {status} already."""


class IsDuplicate(Refusal):
    """Referral {referral} is a duplicate of {of}: accept that one."""


class NotAccepted(Refusal):
    """Referral {referral} was not accepted, so nobody can be admitted on it."""

    at = "/referral"


class StillAdmitted(Refusal):
    """The patient has an open episode {episode}: discharge it first."""

    at = "/patient"


class NotAdmitted(Refusal):
    """Episode {episode} is closed already."""


class ImpossibleDate(Refusal):
    """{what} on {day} is impossible: it must lie between {earliest} and {latest}."""


class Status(StrEnum):
    """Where a referral stands."""

    RECEIVED = "received"
    TRIAGED = "triaged"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class Person(Aggregate):
    """A person under a pseudonym."""

    category: ClassVar[str] = "person"

    @classmethod
    def register(cls, fact: PersonRegistered, at: datetime) -> Self:
        """A person becomes known."""
        return cls.start(fact.patient, fact, at)

    def change_contact(self, fact: ContactChanged, at: datetime) -> None:
        """Where the person can be reached is different now."""
        self.record(fact, at)

    def when(self, fact: Event) -> None:
        """Fold."""
        if isinstance(fact, PersonRegistered):
            self.patient = fact.patient


class Referral(Aggregate):
    """Somebody's wish that the program treat a person."""

    category: ClassVar[str] = "referral"
    status: Status = Status.RECEIVED
    duplicate_of: UUID | None = None
    payer: str | None = None

    @classmethod
    def receive(cls, fact: ReferralReceived, duplicate: UUID | None, at: datetime) -> Self:
        """A referral arrives; ``duplicate`` names the earlier one of the same person and source."""
        referral = cls.start(fact.referral, fact, at)
        if duplicate:
            referral.record(ReferralDuplicateDetected(of=duplicate, received_on=at.date()), at)
        return referral

    def triage(self, urgency: Urgency, level_of_care: LevelOfCare, at: datetime) -> None:
        """A coordinator judges urgency and level of care; again, until it is decided."""
        self._must_wait()
        self.record(ReferralTriaged(urgency=urgency, level_of_care=level_of_care), at)

    def accept(self, at: datetime) -> None:
        """The program takes the person on."""
        self._must_wait()
        if self.duplicate_of:
            raise IsDuplicate(referral=self.id, of=self.duplicate_of)
        self.record(ReferralAccepted(), at)

    def decline(self, reason: DeclineReason, at: datetime) -> None:
        """The program does not take the person on."""
        self._must_wait()
        self.record(ReferralDeclined(reason=reason), at)

    def _must_wait(self) -> None:
        if self.status in (Status.ACCEPTED, Status.DECLINED):
            raise NotWaiting(referral=self.id, status=self.status)

    def when(self, fact: Event) -> None:
        """Fold."""
        match fact:
            case ReferralReceived():
                self.patient, self.payer = fact.patient, fact.payer
            case ReferralDuplicateDetected():
                self.duplicate_of = fact.of
            case ReferralTriaged():
                self.status = Status.TRIAGED
            case ReferralAccepted():
                self.status = Status.ACCEPTED
            case ReferralDeclined():
                self.status = Status.DECLINED


class Episode(Aggregate):
    """A course of care from admission to discharge."""

    category: ClassVar[str] = "episode"
    admitted_on: date = date.min
    open: bool = False

    @classmethod
    def admit(cls, fact: PatientAdmitted, at: datetime) -> Self:
        """An episode opens; admission is today or up to a week back, never ahead."""
        within("Admission", fact.admitted_on, at.date() - timedelta(days=7), at.date() + timedelta(days=1))
        return cls.start(fact.episode, fact, at)

    def discharge(self, discharge_type: DischargeType, on: date, at: datetime) -> None:
        """The episode closes."""
        if not self.open:
            raise NotAdmitted(episode=self.id)
        within("Discharge", on, self.admitted_on, at.date() + timedelta(days=1))
        fact = PatientDischarged(episode=self.id, discharge_type=discharge_type, discharged_on=on)
        self.record(fact, at)

    def when(self, fact: Event) -> None:
        """Fold."""
        match fact:
            case PatientAdmitted():
                self.patient, self.site = fact.patient, fact.site
                self.admitted_on, self.open = fact.admitted_on, True
            case PatientDischarged():
                self.open = False


def within(what: str, day: date, earliest: date, latest: date) -> None:
    """Raise ImpossibleDate unless the day lies within both, inclusive."""
    if not earliest <= day <= latest:
        raise ImpossibleDate(what=what, day=day, earliest=earliest, latest=latest)
