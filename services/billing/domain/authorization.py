"""An authorization: asked of a payer, answered, used up unit by unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.billing import (
    AuthorizationApproved,
    AuthorizationDenied,
    AuthorizationExhausted,
    AuthorizationPended,
    AuthorizationRequested,
    AuthorizationRunningLow,
    AuthorizationUnitConsumed,
    AuthorizationUnitReleased,
    ContractAgreed,
)
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.billing.domain.authorization_runway import runway


class AuthorizationStatus(StrEnum):
    """How far a payer's answer is."""

    REQUESTED = "requested"
    PENDED = "pended"
    APPROVED = "approved"
    DENIED = "denied"


class Action(StrEnum):
    """HCR01 of X12 278."""

    CERTIFIED = "A1"
    PARTIAL = "A2"
    NOT_CERTIFIED = "A3"
    PENDED = "A4"
    MODIFIED = "A6"


@dataclass(frozen=True, slots=True)
class AuthorizationAnswer:
    """What a payer answered; number, units and days are those certified."""

    action: Action
    number: str
    units: int
    starts_on: date
    ends_on: date
    reason: str


def authorization_id(episode: UUID, review: str, starts_on: date) -> UUID:
    """The id of the one request of this kind from this day on."""
    return derive("authorization", episode, review, starts_on)


class Authorization(Aggregate):
    """Units certified between two days, and the charges that used them."""

    category: ClassVar[str] = "authorization"
    patient: UUID | None = None
    episode: UUID | None = None
    status: AuthorizationStatus = AuthorizationStatus.REQUESTED
    number: str = ""
    units: int = 0
    starts_on: date = date.min
    ends_on: date = date.min
    used: tuple[tuple[UUID, int], ...] = ()
    told_low: bool = False

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case AuthorizationRequested():
                self.patient, self.episode = fact.patient, fact.episode
                self.starts_on, self.ends_on = fact.starts_on, fact.ends_on
            case AuthorizationPended():
                self.status = AuthorizationStatus.PENDED
            case AuthorizationApproved():
                self.status, self.number, self.units = AuthorizationStatus.APPROVED, fact.number, fact.units
                self.starts_on, self.ends_on = fact.starts_on, fact.ends_on
            case AuthorizationDenied():
                self.status = AuthorizationStatus.DENIED
            case AuthorizationUnitConsumed():
                self.used = (*self.used, (fact.charge, fact.units))
            case AuthorizationUnitReleased():
                self.used = tuple(one for one in self.used if one[0] != fact.charge)
            case AuthorizationRunningLow():
                self.told_low = True

    @classmethod
    def request(cls, fact: AuthorizationRequested, at: datetime) -> Self:
        """Ask a payer."""
        return cls.start(fact.authorization, fact, at)

    @property
    def remaining(self) -> int:
        """Units that are left."""
        return self.units - sum(units for _, units in self.used)

    @property
    def settled(self) -> bool:
        """Whether the payer said yes or no."""
        return self.status in (AuthorizationStatus.APPROVED, AuthorizationStatus.DENIED)

    def covers(self, day: date) -> bool:
        """Whether it was approved for a day, units apart."""
        return self.status is AuthorizationStatus.APPROVED and self.starts_on <= day <= self.ends_on

    def answer(self, answer: AuthorizationAnswer, at: datetime) -> None:
        """The payer answered; an answer after the decision changes nothing."""
        if self.settled:
            return
        if answer.action is Action.NOT_CERTIFIED:
            self.record(AuthorizationDenied(reason=answer.reason), at)
        elif answer.action is Action.PENDED:
            if self.status is not AuthorizationStatus.PENDED:
                self.record(AuthorizationPended(), at)
        else:
            approved = AuthorizationApproved(
                action=answer.action,
                number=answer.number,
                units=answer.units,
                starts_on=answer.starts_on,
                ends_on=answer.ends_on,
            )
            self.record(approved, at)

    def consume(
        self, charge: UUID, units: int, terms: ContractAgreed, planned: Iterable[date], at: datetime
    ) -> None:
        """A charge uses units; says so once when `low_units` of the contract are left, and when none is."""
        left = self.remaining - units
        self.record(AuthorizationUnitConsumed(charge=charge, units=units, remaining=left), at)
        if left <= terms.low_units and not self.told_low:
            ahead = runway(left, planned, end=self.ends_on, lead_business_days=terms.review_lead_days)
            due = max(ahead.review_due, at.date())
            self.record(AuthorizationRunningLow(remaining=left, review_due=due), at)
        if left == 0:
            self.record(AuthorizationExhausted(), at)

    def release(self, charge: UUID, at: datetime) -> None:
        """A charge was voided: its units are free again."""
        units = dict(self.used).get(charge)
        if units is not None:
            left = self.remaining + units
            self.record(AuthorizationUnitReleased(charge=charge, units=units, remaining=left), at)
