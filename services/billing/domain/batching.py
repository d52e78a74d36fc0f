"""Weekly cut-offs, claim batches and the control numbers of interchanges."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.billing import ClaimBatchCut, ClaimsCutOff, InterchangeNumbered
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive

CONTROL_MAX = 999_999_999
"""ISA13 and GS06 have nine digits; after the last one numbers begin again."""

INTERCHANGES = derive("interchanges")
"""The one stream that control numbers are drawn from."""


def cutoff_id(payer: str) -> UUID:
    """The id of a payer's cut-offs."""
    return derive("cutoff", payer)


class Cutoff(Aggregate):
    """The cut-offs of a payer's charges."""

    category: ClassVar[str] = "cutoff"
    count: int = 0

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ClaimsCutOff():
                self.count += 1

    @classmethod
    def cut(cls, found: Cutoff | None, fact: ClaimsCutOff, at: datetime) -> Cutoff:
        """Charges were put on claims, or there were none."""
        if found is None:
            return cls.start(cutoff_id(fact.payer), fact, at)
        found.record(fact, at)
        return found


class Interchanges(Aggregate):
    """Control numbers, each drawn once."""

    category: ClassVar[str] = "interchanges"
    last: int = 0

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case InterchangeNumbered():
                self.last = fact.interchange

    @classmethod
    def draw(cls, found: Interchanges | None, batch: UUID, at: datetime) -> Interchanges:
        """The next number goes to a batch; `last` holds it."""
        if found is None:
            return cls.start(INTERCHANGES, InterchangeNumbered(interchange=1, batch=batch), at)
        next = found.last % CONTROL_MAX + 1
        found.record(InterchangeNumbered(interchange=next, batch=batch), at)
        return found


class Batch(Aggregate):
    """Claims that go to a payer in one interchange."""

    category: ClassVar[str] = "batch"
    payer: str = ""
    interchange: int = 0
    claims: tuple[UUID, ...] = ()

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ClaimBatchCut():
                self.payer, self.interchange, self.claims = fact.payer, fact.interchange, fact.claims

    @classmethod
    def cut(cls, fact: ClaimBatchCut, at: datetime) -> Self:
        """A batch is ready to be written."""
        return cls.start(fact.batch, fact, at)
