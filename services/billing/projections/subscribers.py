"""Who is insured, and by whom: what a claim says of the person, sealed as it came."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import ContractAgreed
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ContactChanged, PatientAdmitted, PatientDischarged, PersonRegistered

from chassis.projection import Change, Projection, Table, on

SUBSCRIBERS = Table(
    "subscribers",
    key={"patient": "uuid"},
    values={"name": "jsonb", "birth_date": "jsonb", "gender": "text", "address": "jsonb"},
)
COVERAGES = Table(
    "coverages",
    key={"episode": "uuid"},
    values={
        "patient": "uuid",
        "payer": "text",
        "member_id": "jsonb",
        "admitted_on": "date",
        "discharged_on": "date",
    },
    indexes=("payer", "patient"),
)
CONTRACTS = Table(
    "contracts",
    key={"payer": "text", "effective_on": "date"},
    values={"terms": "jsonb", "position": "bigint"},
    indexes=("position",),
)


class Subscribers(Projection):
    """Persons as claims name them, and the payer of each episode."""

    version = 1
    tables = (SUBSCRIBERS, COVERAGES)

    @on(PersonRegistered)
    def registered(self, event: PersonRegistered, about: Envelope) -> Iterator[Change]:
        """A person became known."""
        yield SUBSCRIBERS.put(
            patient=event.patient,
            name=event.name,
            birth_date=event.birth_date,
            gender=event.gender.value,
            address=event.address,
        )

    @on(ContactChanged)
    def contact_changed(self, event: ContactChanged, about: Envelope) -> Iterator[Change]:
        """The address of claims from now on."""
        if about.patient:
            yield SUBSCRIBERS.put(patient=about.patient, address=event.address)

    @on(PatientAdmitted)
    def admitted(self, event: PatientAdmitted, about: Envelope) -> Iterator[Change]:
        """Who pays for the episode."""
        yield COVERAGES.put(
            episode=event.episode,
            patient=event.patient,
            payer=event.payer,
            member_id=event.member_id,
            admitted_on=event.admitted_on,
        )

    @on(PatientDischarged)
    def discharged(self, event: PatientDischarged, about: Envelope) -> Iterator[Change]:
        """When it ended."""
        yield COVERAGES.put(episode=event.episode, discharged_on=event.discharged_on)


class PayerContracts(Projection):
    """Terms by payer and the day from which they hold."""

    version = 1
    tables = (CONTRACTS,)

    @on(ContractAgreed)
    def agreed(self, event: ContractAgreed, about: Envelope) -> Iterator[Change]:
        """Terms to bill by."""
        keys = {"payer": event.payer, "effective_on": event.effective_on}
        yield CONTRACTS.put(**keys, terms=event, position=about.position)
