"""Who pays for an episode."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.billing import CoverageRegistered
from caretrail_contracts.event import Event
from caretrail_contracts.sealed import MemberId, Sealed

from chassis.aggregate import Aggregate


class Coverage(Aggregate):
    """The payer of an episode; its id is the episode's."""

    category: ClassVar[str] = "coverage"
    patient: UUID | None = None
    payer: str = ""
    member_id: Sealed[MemberId] | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case CoverageRegistered():
                self.patient, self.payer, self.member_id = fact.patient, fact.payer, fact.member_id

    @classmethod
    def register(cls, fact: CoverageRegistered, at: datetime) -> Self:
        """An episode is billed to a payer."""
        return cls.start(fact.episode, fact, at)
