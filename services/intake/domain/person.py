"""A person under a pseudonym: how to reach them, who referred them, and their one open episode."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.intake import (
    ContactChanged,
    EpisodeClosed,
    EpisodeOpened,
    PersonReferred,
    PersonRegistered,
    SourceType,
)
from caretrail_contracts.sealed import EmailAddress, PhoneNumber, PostalAddress, Sealed

from chassis.aggregate import Aggregate
from services.intake.domain.refusals import EpisodesOverlap, EpisodeStillOpen

DUPLICATE_WITHIN = timedelta(days=30)
"""The same person from the same kind of source within these days is the same request again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A referral that stands for itself, and whose episode, if it led to one, has not ended."""

    referral: UUID
    source_type: SourceType
    received_on: date


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a person can be reached, sealed."""

    address: Sealed[PostalAddress] | None = None
    email: Sealed[EmailAddress] | None = None
    phone: Sealed[PhoneNumber] | None = None

    def filled_from(self, other: Contact) -> Contact:
        """This contact, its gaps filled from another one."""
        return Contact(self.address or other.address, self.email or other.email, self.phone or other.phone)


class Person(Aggregate):
    """A person. Sealed values are carried, never decided on."""

    category: ClassVar[str] = "person"
    patient: UUID | None = None
    contact: Contact = Contact()
    time_zone: str = ""
    standing: tuple[Standing, ...] = ()
    episode: UUID | None = None
    episode_referral: UUID | None = None
    discharged_on: date | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case PersonRegistered():
                self.patient, self.time_zone = fact.patient, fact.time_zone
                self.contact = Contact(fact.address, fact.email, fact.phone)
            case ContactChanged():
                self.contact = Contact(fact.address, fact.email, fact.phone)
                self.time_zone = fact.time_zone
            case PersonReferred(duplicate_of=None):
                found = Standing(fact.referral, fact.source_type, fact.received_on)
                self.standing = (*self.standing, found)
            case EpisodeOpened():
                self.episode, self.episode_referral = fact.episode, fact.referral
            case EpisodeClosed():
                self.standing = tuple(s for s in self.standing if s.referral != self.episode_referral)
                self.episode, self.discharged_on = None, fact.discharged_on

    @classmethod
    def register(cls, registered: PersonRegistered, at: datetime) -> Self:
        """A person who was not known."""
        return cls.start(registered.patient, registered, at)

    def learn_contact(self, found: Contact, at: datetime) -> None:
        """A referral brought contact data: it fills gaps, and replaces nothing that is on file."""
        filled = self.contact.filled_from(found)
        if filled != self.contact:
            self.change_contact(filled, None, at)

    def change_contact(self, contact: Contact, time_zone: str | None, at: datetime) -> None:
        """The person can be reached elsewhere; without a time zone theirs stays."""
        changed = ContactChanged(
            address=contact.address,
            email=contact.email,
            phone=contact.phone,
            time_zone=time_zone or self.time_zone,
        )
        self.record(changed, at)

    def refer(self, referral: UUID, source_type: SourceType, at: datetime) -> Standing | None:
        """The person was referred; gives the standing referral that this one repeats, if it does.

        A duplicate does not prolong the 30 days, nor does a referral whose episode has ended: somebody
        who was discharged and is sent again needs to be looked at again.
        """
        repeated = self._repeated(source_type, at.date())
        referred = PersonReferred(
            patient=self.id,
            referral=referral,
            source_type=source_type,
            received_on=at.date(),
            duplicate_of=repeated.referral if repeated else None,
        )
        self.record(referred, at)
        return repeated

    def _repeated(self, source_type: SourceType, on: date) -> Standing | None:
        return next(
            (
                earlier
                for earlier in reversed(self.standing)
                if earlier.source_type is source_type and on - earlier.received_on <= DUPLICATE_WITHIN
            ),
            None,
        )

    def open_episode(self, episode: UUID, referral: UUID, admitted_on: date, at: datetime) -> None:
        """An episode begins: there is one at a time, and none before the end of the last."""
        if self.episode is not None:
            raise EpisodeStillOpen(patient=self.id, episode=self.episode)
        if self.discharged_on and admitted_on < self.discharged_on:
            raise EpisodesOverlap(discharged_on=self.discharged_on)
        opened = EpisodeOpened(patient=self.id, episode=episode, referral=referral, admitted_on=admitted_on)
        self.record(opened, at)

    def close_episode(self, episode: UUID, discharged_on: date, at: datetime) -> None:
        """The open episode ends."""
        self.record(EpisodeClosed(patient=self.id, episode=episode, discharged_on=discharged_on), at)
