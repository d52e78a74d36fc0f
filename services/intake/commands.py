"""Intake's commands."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from caretrail_contracts.codes import Code, LevelOfCare, Urgency
from caretrail_contracts.intake import (
    ContactChanged,
    DeclineReason,
    DischargeType,
    PatientAdmitted,
    PersonRegistered,
    ReferralReceived,
)
from caretrail_contracts.sealed import MemberId, Sealed
from chassis.command import Command, Handlers, Work

from services.intake.domain import (
    DUPLICATE_DAYS,
    Episode,
    NotAccepted,
    Person,
    Referral,
    Status,
    StillAdmitted,
)

handlers = Handlers()


class ReceiveReferral(Command):
    """Take in a referral; ``person`` is given where the person was not known, ``match`` where it can be.

    ``match`` and ``external`` are keyed digests: of the person's name and birth date, and of the
    sender's own number for the referral.
    """

    referral: ReferralReceived
    person: PersonRegistered | None = None
    match: str | None = None
    external: str | None = None


@handlers.handles(ReceiveReferral)
async def receive_referral(command: ReceiveReferral, work: Work) -> None:
    """Register the person where needed, then receive; the same person and source lately is a duplicate."""
    fact = command.referral
    if command.person:
        work.add(Person.register(command.person, work.now))
        if command.match:
            work.reserve("person", command.match, fact.patient)
    if command.external:
        work.reserve("referral", command.external, fact.referral)
    since = work.now - timedelta(days=DUPLICATE_DAYS)
    earlier = [
        row
        for row in await work.rows("referrals", patient=fact.patient, source_type=fact.source_type)
        if row["received_at"] >= since and not row["duplicate_of"] and row["referral"] != fact.referral
    ]
    first = min(earlier, key=lambda row: (row["received_at"], row["referral"]), default=None)
    work.add(Referral.receive(fact, first["referral"] if first else None, work.now))


class TriageReferral(Command):
    """Judge a referral's urgency and level of care."""

    referral: UUID
    urgency: Urgency
    level_of_care: LevelOfCare


@handlers.handles(TriageReferral)
async def triage_referral(command: TriageReferral, work: Work) -> None:
    """Triage."""
    referral = await work.load(Referral, command.referral)
    referral.triage(command.urgency, command.level_of_care, work.now)


class AcceptReferral(Command):
    """Take the person on."""

    referral: UUID


@handlers.handles(AcceptReferral)
async def accept_referral(command: AcceptReferral, work: Work) -> None:
    """Accept."""
    (await work.load(Referral, command.referral)).accept(work.now)


class DeclineReferral(Command):
    """Do not take the person on."""

    referral: UUID
    reason: DeclineReason


@handlers.handles(DeclineReferral)
async def decline_referral(command: DeclineReferral, work: Work) -> None:
    """Decline."""
    (await work.load(Referral, command.referral)).decline(command.reason, work.now)


class AdmitPatient(Command):
    """Open an episode of care."""

    episode: UUID
    patient: UUID
    referral: UUID
    track: Code
    site: Code
    level_of_care: LevelOfCare
    payer: Code
    member_id: Sealed[MemberId] | None = None
    admitted_on: date


@handlers.handles(AdmitPatient)
async def admit_patient(command: AdmitPatient, work: Work) -> None:
    """A referral that was accepted, and no other open episode."""
    referral = await work.load(Referral, command.referral)
    if referral.status is not Status.ACCEPTED or referral.patient != command.patient:
        raise NotAccepted(referral=command.referral)
    for row in await work.rows("census", patient=command.patient):
        if row["discharged_on"] is None and row["episode"] != command.episode:
            raise StillAdmitted(episode=row["episode"])
    work.add(Episode.admit(PatientAdmitted(**dict(command)), work.now))


class DischargePatient(Command):
    """Close an episode of care."""

    episode: UUID
    discharge_type: DischargeType
    discharged_on: date


@handlers.handles(DischargePatient)
async def discharge_patient(command: DischargePatient, work: Work) -> None:
    """Discharge."""
    episode = await work.load(Episode, command.episode)
    episode.discharge(command.discharge_type, command.discharged_on, work.now)


class ChangeContact(Command):
    """Change where a person can be reached."""

    patient: UUID
    contact: ContactChanged


@handlers.handles(ChangeContact)
async def change_contact(command: ChangeContact, work: Work) -> None:
    """Change."""
    (await work.load(Person, command.patient)).change_contact(command.contact, work.now)
