"""Whether a patient wants messages, by channel: a stream per patient, fed by staff and the patient."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.notifications import ContactOptedIn, ContactOptedOut

from chassis.aggregate import Aggregate

EMAIL = "email"
"""The one channel there is."""


class Preferences(Aggregate):
    """A patient's wishes; revoking them is honoured at once (47 CFR 64.1200(a)(10))."""

    category: ClassVar[str] = "preferences"
    patient: UUID | None = None
    refused: set[str] = field(default_factory=set)

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ContactOptedOut():
                self.patient = fact.patient
                self.refused.add(fact.channel)
            case ContactOptedIn():
                self.patient = fact.patient
                self.refused.discard(fact.channel)

    @classmethod
    def first(cls, fact: ContactOptedOut | ContactOptedIn, at: datetime) -> Self:
        """A patient's first word about messages."""
        return cls.start(fact.patient, fact, at)

    def opt_out(self, channel: str, at: datetime) -> None:
        """The patient wants no messages."""
        if channel not in self.refused:
            self.record(ContactOptedOut(patient=self.id, channel=channel), at)

    def opt_in(self, channel: str, at: datetime) -> None:
        """The patient wants messages again."""
        if channel in self.refused:
            self.record(ContactOptedIn(patient=self.id, channel=channel), at)
