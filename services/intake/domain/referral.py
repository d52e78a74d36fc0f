"""A referral: received, triaged, then accepted or declined; a duplicate is never accepted."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.codes import LevelOfCare, Urgency
from caretrail_contracts.event import Event
from caretrail_contracts.intake import (
    DeclineReason,
    ReferralAccepted,
    ReferralDeclined,
    ReferralDuplicateDetected,
    ReferralReceived,
    ReferralTriaged,
)
from caretrail_contracts.sealed import MemberId, Sealed

from chassis.aggregate import Aggregate
from services.intake.domain.dates import earliest_local
from services.intake.domain.person import Standing
from services.intake.domain.refusals import ReferralDecided, ReferralIsDuplicate, ReferralNotAccepted


class Status(StrEnum):
    """How far a referral has come; ``admitted`` is what the pipeline shows once an episode opened."""

    RECEIVED = "received"
    DUPLICATE = "duplicate"
    TRIAGED = "triaged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ADMITTED = "admitted"


class Referral(Aggregate):
    """One request to treat a person."""

    category: ClassVar[str] = "referral"
    patient: UUID | None = None
    status: Status = Status.RECEIVED
    duplicate_of: UUID | None = None
    payer: str | None = None
    member_id: Sealed[MemberId] | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ReferralReceived():
                self.patient, self.payer, self.member_id = fact.patient, fact.payer, fact.member_id
            case ReferralDuplicateDetected():
                self.status, self.duplicate_of = Status.DUPLICATE, fact.of
            case ReferralTriaged():
                self.status = Status.TRIAGED
            case ReferralAccepted():
                self.status = Status.ACCEPTED
            case ReferralDeclined():
                self.status = Status.DECLINED

    @classmethod
    def receive(cls, received: ReferralReceived, repeated: Standing | None, at: datetime) -> Self:
        """Somebody asked; where it repeats a standing referral, it says so at once."""
        referral = cls.start(received.referral, received, at)
        if repeated:
            found = ReferralDuplicateDetected(of=repeated.referral, received_on=repeated.received_on)
            referral.record(found, at)
        return referral

    def triage(self, urgency: Urgency, level_of_care: LevelOfCare, at: datetime) -> None:
        """A coordinator judges it; again, as long as it is not decided."""
        self._must_be_open()
        self._must_stand_for_itself()
        self.record(ReferralTriaged(urgency=urgency, level_of_care=level_of_care), at)

    def accept(self, at: datetime) -> None:
        """The program takes the person on."""
        self._must_be_open()
        self._must_stand_for_itself()
        self.record(ReferralAccepted(), at)

    def decline(self, reason: DeclineReason, at: datetime) -> None:
        """The program does not take the person on."""
        self._must_be_open()
        self.record(ReferralDeclined(reason=reason), at)

    def must_be_accepted(self) -> None:
        """Only an accepted referral leads to an admission."""
        if self.status is not Status.ACCEPTED:
            raise ReferralNotAccepted(referral=self.id, status=self.status)

    @property
    def received_on(self) -> date:
        """The earliest local date on which it can have been received."""
        return earliest_local(self.created_on)

    def _must_be_open(self) -> None:
        if self.status in (Status.ACCEPTED, Status.DECLINED):
            raise ReferralDecided(referral=self.id, status=self.status)

    def _must_stand_for_itself(self) -> None:
        if self.duplicate_of is not None:
            raise ReferralIsDuplicate(referral=self.id, of=self.duplicate_of)
