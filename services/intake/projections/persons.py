"""Persons as the doors need them: name and contact, sealed."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ContactChanged, PersonRegistered

from chassis.projection import Change, Projection, Table, on

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
        "registered_at": "timestamptz",
        "position": "bigint",
    },
    indexes=("position",),
)


class Persons(Projection):
    """Persons with name and contact, sealed."""

    tables = (PERSONS,)

    @on(PersonRegistered)
    def registered(self, event: PersonRegistered, about: Envelope) -> Iterator[Change]:
        """A person became known."""
        yield PERSONS.put(
            patient=event.patient,
            name=event.name,
            birth_date=event.birth_date,
            gender=event.gender.value,
            address=event.address,
            email=event.email,
            phone=event.phone,
            time_zone=event.time_zone,
            registered_at=about.occurred_at,
            position=about.position,
        )

    @on(ContactChanged)
    def contact_changed(self, event: ContactChanged, about: Envelope) -> Iterator[Change]:
        """The person can be reached elsewhere."""
        patient: UUID | None = about.patient
        yield PERSONS.put(
            patient=patient,
            address=event.address,
            email=event.email,
            phone=event.phone,
            time_zone=event.time_zone,
        )
