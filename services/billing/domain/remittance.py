"""A remittance: one transaction set of a payer, posted or parked claim by claim."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.billing import RemittanceClaimParked, RemittancePosted, RemittanceReceived
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive


def remittance_id(origin: str, content: str) -> UUID:
    """The id of the remittance of these digests: of its payer and trace number, and of what it says."""
    return derive("remittance", origin, content)


class Remittance(Aggregate):
    """What a payer's payment said, and what became of it."""

    category: ClassVar[str] = "remittance"
    parked: int = 0

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case RemittanceClaimParked():
                self.parked += 1

    @classmethod
    def receive(cls, fact: RemittanceReceived, at: datetime) -> Self:
        """A transaction set was read and balances."""
        return cls.start(fact.remittance, fact, at)

    def park(self, fact: RemittanceClaimParked, at: datetime) -> None:
        """A claim of it waits for a person."""
        self.record(fact, at)

    def posted(self, posted: int, at: datetime) -> None:
        """Every claim of it was posted or parked."""
        self.record(RemittancePosted(posted=posted, parked=self.parked), at)
