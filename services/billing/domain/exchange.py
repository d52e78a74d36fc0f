"""What failed between us and a payer: files that could not be written, sent or read."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from caretrail_contracts.billing import ExchangeFailed
from caretrail_contracts.event import Event
from caretrail_contracts.system import InputRefused

from chassis.aggregate import Aggregate
from chassis.ids import derive


class Exchange(Aggregate):
    """Failures about one claim, batch, authorization or appeal."""

    category: ClassVar[str] = "exchange"
    patient: UUID | None = None
    failures: tuple[tuple[str, str | None], ...] = ()

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ExchangeFailed():
                self.patient = fact.patient
                self.failures = (*self.failures, (fact.rule, fact.at))

    @classmethod
    def failed(cls, found: Exchange | None, fact: ExchangeFailed, at: datetime) -> Exchange:
        """A file failed; the same failure again changes nothing."""
        if found is None:
            return cls.start(exchange_id(fact.kind, fact.about), fact, at)
        if (fact.rule, fact.at) not in found.failures:
            found.record(fact, at)
        return found


def exchange_id(kind: str, about: UUID) -> UUID:
    """The id of the exchange about something."""
    return derive("exchange", kind, about)


class RefusedInput(Aggregate):
    """A file from outside that could not be read; kept sealed."""

    category: ClassVar[str] = "refused"

    def when(self, fact: Event) -> None:
        """Nothing follows from it."""
        assert isinstance(fact, InputRefused)
