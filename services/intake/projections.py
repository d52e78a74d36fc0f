"""Intake's read models: the referral pipeline, the census, and persons as the doors need them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.intake import (
    ContactChanged,
    PatientAdmitted,
    PatientDischarged,
    PersonRegistered,
    ReferralAccepted,
    ReferralDeclined,
    ReferralDuplicateDetected,
    ReferralReceived,
    ReferralTriaged,
)
from chassis.projection import Change, Projection, Table, on

REFERRALS = Table(
    "referrals",
    key={"referral": "uuid"},
    values={
        "patient": "uuid",
        "source_type": "text",
        "channel": "text",
        "urgency": "text",
        "level_of_care": "text",
        "status": "text",
        "decline_reason": "text",
        "duplicate_of": "uuid",
        "reasons": "jsonb",
        "payer": "text",
        "member_id": "jsonb",
        "requester": "jsonb",
        "external_id": "jsonb",
        "note": "jsonb",
        "received_at": "timestamptz",
        "position": "bigint",
    },
    indexes=("position", "patient, source_type"),
)
CENSUS = Table(
    "census",
    key={"episode": "uuid"},
    values={
        "patient": "uuid",
        "referral": "uuid",
        "track": "text",
        "site": "text",
        "level_of_care": "text",
        "payer": "text",
        "admitted_on": "date",
        "discharged_on": "date",
        "discharge_type": "text",
        "position": "bigint",
    },
    indexes=("position", "patient"),
)
PERSONS = Table(
    "persons",
    key={"patient": "uuid"},
    values={
        "name": "jsonb",
        "birth_date": "jsonb",
        "gender": "text",
        "address": "jsonb",
        "email": "jsonb",
        "phone": "jsonb",
        "time_zone": "text",
        "position": "bigint",
    },
    indexes=("position",),
)


def _id(about: Envelope) -> UUID:
    """The id of the aggregate whose stream this is."""
    return UUID(about.stream[-36:])


class ReferralPipeline(Projection):
    """Every referral and where it stands."""

    tables: ClassVar[tuple[Table, ...]] = (REFERRALS,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterable[Change]:
        """A new row."""
        row = {name: getattr(event, name) for name in REFERRALS.values if name in type(event).model_fields}
        stands = {"status": "received", "received_at": about.recorded_at, "position": about.position}
        yield REFERRALS.put(referral=event.referral, **row, **stands)

    @on(ReferralDuplicateDetected)
    def duplicate(self, event: ReferralDuplicateDetected, about: Envelope) -> Iterable[Change]:
        """It was there before."""
        yield REFERRALS.put(referral=_id(about), duplicate_of=event.of)

    @on(ReferralTriaged)
    def triaged(self, event: ReferralTriaged, about: Envelope) -> Iterable[Change]:
        """Judged."""
        level = event.level_of_care
        yield REFERRALS.put(referral=_id(about), status="triaged", urgency=event.urgency, level_of_care=level)

    @on(ReferralAccepted)
    def accepted(self, event: Event, about: Envelope) -> Iterable[Change]:
        """Decided."""
        yield REFERRALS.put(referral=_id(about), status="accepted")

    @on(ReferralDeclined)
    def declined(self, event: ReferralDeclined, about: Envelope) -> Iterable[Change]:
        """Decided."""
        yield REFERRALS.put(referral=_id(about), status="declined", decline_reason=event.reason)


class Census(Projection):
    """Every episode, open and closed."""

    tables: ClassVar[tuple[Table, ...]] = (CENSUS,)

    @on(PatientAdmitted)
    def admitted(self, event: PatientAdmitted, about: Envelope) -> Iterable[Change]:
        """A new row."""
        row = {name: getattr(event, name) for name in CENSUS.values if name in type(event).model_fields}
        yield CENSUS.put(episode=event.episode, **row, position=about.position)

    @on(PatientDischarged)
    def discharged(self, event: PatientDischarged, about: Envelope) -> Iterable[Change]:
        """Closed."""
        yield CENSUS.put(
            episode=event.episode, discharged_on=event.discharged_on, discharge_type=event.discharge_type
        )


class Persons(Projection):
    """Persons, their personal data sealed as it came."""

    tables: ClassVar[tuple[Table, ...]] = (PERSONS,)

    @on(PersonRegistered)
    def registered(self, event: PersonRegistered, about: Envelope) -> Iterable[Change]:
        """A new row."""
        row = {name: getattr(event, name) for name in PERSONS.values if name in type(event).model_fields}
        yield PERSONS.put(patient=event.patient, **row, position=about.position)

    @on(ContactChanged)
    def contact(self, event: ContactChanged, about: Envelope) -> Iterable[Change]:
        """Reached elsewhere."""
        fields = {name: getattr(event, name) for name in type(event).model_fields}
        yield PERSONS.put(patient=about.patient, **fields)
