"""What intake can be asked to do; personal data arrives sealed."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from caretrail_contracts.codes import Code, LevelOfCare, TimeZone, Urgency
from caretrail_contracts.intake import (
    DeclineReason,
    DischargeType,
    PatientAdmitted,
    PersonRegistered,
    ReferralReceived,
)
from caretrail_contracts.sealed import EmailAddress, MemberId, PhoneNumber, PostalAddress, Sealed

from chassis.command import Command, Handlers, Work
from chassis.refusal import AlreadyExists
from services.intake.domain.episode import Episode, episode_id
from services.intake.domain.person import Contact, Person
from services.intake.domain.referral import Referral
from services.intake.domain.refusals import AdmittedBeforeReferral, PayerMissing, ReferralOfAnother

handlers = Handlers()

PERSON_KEYS = "person"
"""Scope of reservations: the keyed digest of a person's name and birth date belongs to one pseudonym."""

REFERRAL_KEYS = "referral"
"""Scope of reservations: the keyed digest of a sender's referral identifier belongs to one referral."""

REFERRAL_PATIENT_KEYS = "referral/patient"
"""Scope of reservations: the same digest tells the patient of that referral."""


class ReceiveReferral(Command):
    """Take in a referral. ``person`` is what it says of the person, who may be known already."""

    person: PersonRegistered
    referral: ReferralReceived
    match_key: str | None = None
    external_key: str | None = None

    @property
    def patient(self) -> UUID:
        """Whom it is about."""
        return self.referral.patient


class TriageReferral(Command):
    """Judge urgency and level of care."""

    referral: UUID
    urgency: Urgency
    level_of_care: LevelOfCare


class AcceptReferral(Command):
    """Take the person on."""

    referral: UUID


class DeclineReferral(Command):
    """Do not take the person on."""

    referral: UUID
    reason: DeclineReason


class AdmitPatient(Command):
    """Open an episode. Payer and member id are the referral's where none are given."""

    referral: UUID
    patient: UUID
    track: Code
    site: Code
    level_of_care: LevelOfCare
    payer: Code | None = None
    member_id: Sealed[MemberId] | None = None
    admitted_on: date


class DischargePatient(Command):
    """Close an episode."""

    episode: UUID
    discharge_type: DischargeType
    discharged_on: date


class ChangeContact(Command):
    """Replace how a person can be reached; what is None is removed, but for the time zone, which stays."""

    patient: UUID
    address: Sealed[PostalAddress] | None = None
    email: Sealed[EmailAddress] | None = None
    phone: Sealed[PhoneNumber] | None = None
    time_zone: TimeZone | None = None


@handlers.handles(ReceiveReferral)
async def receive_referral(command: ReceiveReferral, work: Work) -> None:
    """Register the person where unknown, receive the referral, and find out whether it repeats one."""
    person = await work.find(Person, command.patient)
    if person is None:
        person = work.add(Person.register(command.person, work.now))
    else:
        brought = command.person
        person.learn_contact(Contact(brought.address, brought.email, brought.phone), work.now)
    received = command.referral
    repeated = person.refer(received.referral, received.source_type, work.now)
    work.add(Referral.receive(received, repeated, work.now))
    if command.match_key:
        work.reserve(PERSON_KEYS, command.match_key, command.patient)
    if command.external_key:
        work.reserve(REFERRAL_KEYS, command.external_key, received.referral)
        work.reserve(REFERRAL_PATIENT_KEYS, command.external_key, command.patient)


@handlers.handles(TriageReferral)
async def triage_referral(command: TriageReferral, work: Work) -> None:
    """Record the judgment."""
    referral = await work.load(Referral, command.referral)
    referral.triage(command.urgency, command.level_of_care, work.now)


@handlers.handles(AcceptReferral)
async def accept_referral(command: AcceptReferral, work: Work) -> None:
    """Record the decision."""
    referral = await work.load(Referral, command.referral)
    referral.accept(work.now)


@handlers.handles(DeclineReferral)
async def decline_referral(command: DeclineReferral, work: Work) -> None:
    """Record the decision."""
    referral = await work.load(Referral, command.referral)
    referral.decline(command.reason, work.now)


@handlers.handles(AdmitPatient)
async def admit_patient(command: AdmitPatient, work: Work) -> None:
    """Open the episode and mark it on the person, so that there is one at a time."""
    referral = await work.load(Referral, command.referral)
    if referral.patient != command.patient:
        raise ReferralOfAnother(referral=referral.id)
    episode = episode_id(referral.id)
    if await work.find(Episode, episode):
        raise AlreadyExists(kind=Episode.category, id=episode)
    admitted = _admission(command, referral, episode)
    person = await work.load(Person, command.patient)
    person.open_episode(episode, referral.id, command.admitted_on, work.now)
    work.add(Episode.admit(admitted, work.now))


def _admission(command: AdmitPatient, referral: Referral, episode: UUID) -> PatientAdmitted:
    """The admission's terms; the referral's member id goes with the referral's payer alone."""
    referral.must_be_accepted()
    if command.admitted_on < referral.received_on:
        raise AdmittedBeforeReferral(received_on=referral.received_on)
    payer = command.payer or referral.payer
    if payer is None:
        raise PayerMissing()
    same_payer = referral.payer in (None, payer)
    return PatientAdmitted(
        episode=episode,
        patient=command.patient,
        referral=referral.id,
        track=command.track,
        site=command.site,
        level_of_care=command.level_of_care,
        payer=payer,
        member_id=command.member_id or (referral.member_id if same_payer else None),
        admitted_on=command.admitted_on,
    )


@handlers.handles(DischargePatient)
async def discharge_patient(command: DischargePatient, work: Work) -> None:
    """Close the episode, and free the person for another."""
    episode = await work.load(Episode, command.episode)
    episode.discharge(command.discharge_type, command.discharged_on, work.now)
    assert episode.patient
    person = await work.load(Person, episode.patient)
    person.close_episode(episode.id, command.discharged_on, work.now)


@handlers.handles(ChangeContact)
async def change_contact(command: ChangeContact, work: Work) -> None:
    """Record where the person can be reached."""
    person = await work.load(Person, command.patient)
    contact = Contact(command.address, command.email, command.phone)
    person.change_contact(contact, command.time_zone, work.now)
