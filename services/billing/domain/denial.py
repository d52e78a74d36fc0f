"""A denial: worked before its deadline, appealed level by level, closed with an outcome."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.billing import AppealDecided, AppealFiled, DenialClosed, DenialOpened
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.billing.domain.refusals import AppealPending, DenialDone, NoLevelLeft, TooLate, WrongLevel

OVERTURNED, UPHELD = "overturned", "upheld"
DEADLINE_PASSED, CORRECTED = "deadline-passed", "corrected"


def appeal_id(denial: UUID, level: int) -> UUID:
    """The id of the one appeal of a level."""
    return derive("appeal", denial, level)


class Denial(Aggregate):
    """Open until overturned, corrected, written off, or too late."""

    category: ClassVar[str] = "denial"
    patient: UUID | None = None
    claim: UUID | None = None
    deadline: date = date.max
    paid: Decimal = Decimal(0)
    level: int = 0
    pending: bool = False
    outcome: str | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case DenialOpened():
                self.patient, self.claim, self.deadline = fact.patient, fact.claim, fact.appeal_deadline
                self.paid = fact.paid
            case AppealFiled():
                self.level, self.pending = fact.level, True
            case AppealDecided():
                self.pending = False
            case DenialClosed():
                self.outcome = fact.outcome

    @classmethod
    def open(cls, fact: DenialOpened, at: datetime) -> Self:
        """A denial must be worked."""
        return cls.start(fact.denial, fact, at)

    def appeal(self, fact: AppealFiled, levels: int, at: datetime) -> None:
        """File the next level. Raises DenialDone, AppealPending, NoLevelLeft, WrongLevel, TooLate."""
        if self.outcome is not None:
            raise DenialDone(outcome=self.outcome)
        if self.pending:
            raise AppealPending(level=self.level)
        if self.level >= levels:
            raise NoLevelLeft(levels=levels)
        if fact.level != self.level + 1:
            raise WrongLevel(expected=self.level + 1)
        if fact.level == 1 and fact.filed_on > self.deadline:
            raise TooLate(deadline=self.deadline)
        self.record(fact, at)

    def decide(self, fact: AppealDecided, levels: int, at: datetime) -> None:
        """The payer decided; overturned, or upheld on the last level, ends the matter."""
        if not self.pending or fact.level != self.level:
            return
        self.record(fact, at)
        if fact.outcome == OVERTURNED or self.level >= levels:
            self.close(fact.outcome, at)

    def close(self, outcome: str, at: datetime) -> None:
        """Nothing more is to be done; closing again changes nothing."""
        if self.outcome is None:
            self.record(DenialClosed(outcome=outcome), at)

    def expire(self, at: datetime) -> None:
        """The deadline passed: without an appeal the matter is over."""
        if self.level == 0:
            self.close(DEADLINE_PASSED, at)

    def corrected(self, at: datetime) -> None:
        """The payer decided anew in our favor; an appeal that waits has an answer of its own."""
        if not self.pending:
            self.close(CORRECTED, at)
