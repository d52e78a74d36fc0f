"""A claim: what was charged, and what payers said of it, posted to the cent."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.adjustments import AdjustmentGroup
from caretrail_contracts.billing import (
    ClaimCorrectionDue,
    ClaimCreated,
    ClaimDenied,
    ClaimLine,
    ClaimNeedsReview,
    ClaimPaid,
    ClaimReversed,
    ClaimSubmitted,
    Remitted,
)
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive

LINES_MAX = 50
"""Lines of a professional claim at most (005010X222A1, loop 2400)."""

NUMBER_CHARS = 14
"""Random-looking characters of a claim's number: 70 bits."""

ZERO = Decimal("0.00")


class ClaimStatus(StrEnum):
    """How far a claim is."""

    CREATED = "created"
    SUBMITTED = "submitted"
    PAID = "paid"
    PARTLY_DENIED = "partly_denied"
    DENIED = "denied"
    REVERSED = "reversed"
    REVIEW = "review"


def claim_id(charges: Sequence[UUID]) -> UUID:
    """The id of the claim of these charges."""
    return derive("claim", *charges)


def claim_number(claim: UUID) -> str:
    """Our number of a claim (CLM01): nothing of the patient is in it."""
    return "C" + b32encode(claim.bytes).decode()[:NUMBER_CHARS]


def patient_share(fact: Remitted) -> Decimal:
    """What the payer lays on the patient: the adjustments of group PR."""
    ours = (one.amount for one in fact.adjustments if one.group is AdjustmentGroup.PATIENT)
    return sum(ours, ZERO)


def taken_off(fact: Remitted) -> Decimal:
    """Adjustments of every other group."""
    others = (one.amount for one in fact.adjustments if one.group is not AdjustmentGroup.PATIENT)
    return sum(others, ZERO)


class Claim(Aggregate):
    """Charges of one patient and payer, and the payer's decisions on them.

    ``standing`` is the charge and the payment of the decision that stands. That the claim was ``submitted``
    may be recorded after the payer decided.
    """

    category: ClassVar[str] = "claim"
    patient: UUID | None = None
    episode: UUID | None = None
    number: str = ""
    payer: str = ""
    status: ClaimStatus = ClaimStatus.CREATED
    submitted: bool = False
    amount: Decimal = ZERO
    paid: Decimal = ZERO
    adjusted: Decimal = ZERO
    patient_responsibility: Decimal = ZERO
    lines: tuple[ClaimLine, ...] = ()
    standing: tuple[Decimal, Decimal] | None = None
    corrections: frozenset[UUID] = frozenset()

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ClaimCreated():
                self.patient, self.episode, self.payer = fact.patient, fact.episode, fact.payer
                self.number, self.amount, self.lines = fact.number, fact.amount, fact.lines
            case ClaimSubmitted():
                self.submitted = True
                if self.status is ClaimStatus.CREATED:
                    self.status = ClaimStatus.SUBMITTED
            case ClaimCorrectionDue():
                self.corrections = self.corrections | {fact.charge}
            case Remitted():
                self._post(fact)

    def _post(self, fact: Remitted) -> None:
        self.paid += fact.paid
        self.adjusted += taken_off(fact)
        self.patient_responsibility += patient_share(fact)
        self.standing = None if isinstance(fact, ClaimReversed) else (fact.charge, fact.paid)
        match fact:
            case ClaimPaid():
                self.status = ClaimStatus.PAID
            case ClaimDenied():
                self.status = ClaimStatus.DENIED if fact.whole else ClaimStatus.PARTLY_DENIED
            case ClaimReversed():
                self.status = ClaimStatus.REVERSED
            case ClaimNeedsReview():
                self.status = ClaimStatus.REVIEW

    @classmethod
    def create(cls, fact: ClaimCreated, at: datetime) -> Self:
        """Charges are put on a claim."""
        return cls.start(fact.claim, fact, at)

    @property
    def balance(self) -> Decimal:
        """What nobody decided on yet: charge less payments, adjustments and the patient's share."""
        return self.amount - self.paid - self.adjusted - self.patient_responsibility

    def submit(self, batch: UUID, interchange: int, at: datetime) -> None:
        """The claim went to its payer."""
        if not self.submitted:
            facts = {"claim": self.id, "number": self.number, "batch": batch, "interchange": interchange}
            self.record(ClaimSubmitted.model_validate(facts), at)

    def misfit(self, charge: Decimal, paid: Decimal, *, reversal: bool) -> str | None:
        """Why a payer's decision cannot be posted here, as a rule's name; None where it can.

        A reversal must take back exactly what stands; a decision must be on our charge, and the only one.
        """
        if reversal:
            return None if self.standing == (-charge, -paid) else "NothingToReverse"
        if self.standing is not None:
            return "DecidedAlready"
        return None if charge == self.amount else "ChargeDiffers"

    def post(self, fact: Remitted, at: datetime) -> None:
        """A payer's decision, found fit by `misfit`."""
        self.record(fact, at)

    def correction_due(self, charge: UUID, reason: str, at: datetime) -> None:
        """A charge of this claim no longer stands as it was claimed; told once for each charge."""
        if charge in self.corrections or self.patient is None:
            return
        due = ClaimCorrectionDue(
            claim=self.id, number=self.number, patient=self.patient, charge=charge, reason=reason
        )
        self.record(due, at)
