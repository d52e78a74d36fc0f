"""An integrity check, concluded: what a comparison of every store with the ledger found."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.audit import IntegrityVerified, IntegrityViolationDetected
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate

DIFFERENCES_RECORDED_MAX = 100
"""Differences that the event names; the answer of a check names all."""


class IntegrityCheck(Aggregate):
    """One comparison of every store with the ledger."""

    category: ClassVar[str] = "integrity-check"

    @classmethod
    def conclude(
        cls, id: UUID, events: int, streams: int, differences: tuple[str, ...], at: datetime
    ) -> Self:
        """Record what a comparison found."""
        fact: Event = IntegrityVerified(events=events, streams=streams)
        if differences:
            fact = IntegrityViolationDetected(differences=differences[:DIFFERENCES_RECORDED_MAX])
        return cls.start(id, fact, at)

    def when(self, fact: Event) -> None:
        """A check has no state beyond its one event."""
