"""The door of intake: a person is matched or registered, and what identifies them is sealed."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from caretrail_contracts.intake import PersonRegistered, ReferralDuplicateDetected, ReferralReceived
from caretrail_contracts.sealed import BirthDate, FreeText, MemberId, PersonName, RecordNumber
from caretrail_contracts.system import Place
from pydantic import Field

from chassis.ids import derive
from chassis.refusal import Reserved
from services.intake.api.bodies import PersonBody, ReferralBody
from services.intake.api.sealing import sealed, sealed_contact
from services.intake.commands import PERSON_KEYS, REFERRAL_KEYS, ReceiveReferral
from services.intake.domain.dates import is_birth_date
from services.intake.domain.identity import match_text
from services.intake.domain.referral import Referral
from web.http import Accepted, Caller
from web.problems import Unreadable


class Received(Accepted):
    """A referral that was taken in."""

    referral: UUID
    patient: UUID
    known: bool = Field(description="The person was registered before this referral.")
    duplicate: bool = Field(
        description="It repeats a referral of the same person and source: decide that one."
    )


async def receive(caller: Caller, body: ReferralBody, number: str | None, step: str = "") -> Received:
    """Take in a referral; ``number`` is the sender's own: the same again for the same person changes nothing.

    Another process may register the same person meanwhile: then match again.
    """
    if body.person.birth_date and not born_possibly(body.person.birth_date, caller):
        place = Place(at="/person/birth_date", expected="a day up to today, of a person of at most 130 years")
        raise Unreadable(422, "ImpossibleDate", "Nobody was born on that day.", (place,))
    try:
        return await _receive(caller, body, number, step)
    except Reserved:
        return await _receive(caller, body, number, step)


def born_possibly(day: date, caller: Caller) -> bool:
    """Whether somebody may be born on that day."""
    return is_birth_date(day, caller.now)


async def _receive(caller: Caller, body: ReferralBody, number: str | None, step: str) -> Received:
    command_id = caller.cause(step).command_id
    referral = derive(command_id, "referral")
    external = await _external(caller, body, number)
    before = await caller.owner(REFERRAL_KEYS, external) if external else None
    if before and before != referral:
        return await _again(caller, command_id, before)
    match = await _match(caller, body.person.family, body.person.given, body.person.birth_date)
    known = await caller.owner(PERSON_KEYS, match) if match else None
    patient = known or derive(command_id, "patient")
    await caller.issue_key(patient)
    command = ReceiveReferral(
        person=await _person(caller, patient, body.person),
        referral=await _referral(caller, referral, patient, body),
        match_key=match,
        external_key=external,
    )
    accepted = await caller.execute(command, step)
    first = await _first(caller, referral)
    version = accepted.streams[Referral.stream_of(referral)]
    fresh = first["patient"] == derive(command_id, "patient")
    return Received(
        **dict(accepted), referral=referral, patient=first["patient"], known=not fresh, duplicate=version > 1
    )


async def _again(caller: Caller, command_id: UUID, referral: UUID) -> Received:
    """The sender's number is known: nothing changes, and the answer says so."""
    first, stream = await _first(caller, referral), Referral.stream_of(referral)
    accepted = Accepted(command_id=command_id, position=first["position"], streams={stream: 1}, repeated=True)
    repeats = await caller.row(REPEATS, stream, ReferralDuplicateDetected.type()) is not None
    return Received(
        **dict(accepted), referral=referral, patient=first["patient"], known=True, duplicate=repeats
    )


async def _first(caller: Caller, referral: UUID) -> dict[str, UUID]:
    """Where a referral stands in the store: a repeated request may have matched otherwise the first time."""
    row = await caller.row(FIRST, Referral.stream_of(referral))
    assert row is not None
    return row


FIRST = b"select patient, position from events where stream = %s and stream_version = 1"
REPEATS = b"select from events where stream = %s and stream_version = 2 and type = %s"
"""A referral that repeats another one says so as soon as it is received."""


async def patient_of(caller: Caller, referral: UUID) -> UUID | None:
    """Whom a referral is about; None where there is no such referral."""
    row = await caller.row(FIRST, Referral.stream_of(referral))
    return row["patient"] if row else None


async def find(caller: Caller, family: str, given: str, birth_date: date) -> UUID | None:
    """The pseudonym of a person, if they are known."""
    match = await _match(caller, family, given, birth_date)
    return await caller.owner(PERSON_KEYS, match) if match else None


async def _match(caller: Caller, family: str, given: str, birth_date: date | None) -> str | None:
    text = match_text(family, given, birth_date)
    return await caller.digest(PERSON_KEYS, text) if text else None


async def _external(caller: Caller, body: ReferralBody, number: str | None) -> str | None:
    """A keyed digest of the sender's number together with the person.

    Two senders may use one number: another person's referral must not be taken for this one.
    """
    if number is None:
        return None
    person = body.person
    whose = f"{person.family}|{person.given}|{person.birth_date}".casefold()
    return await caller.digest(REFERRAL_KEYS, f"{body.source_type}|{number}|{whose}")


async def _referral(caller: Caller, id: UUID, patient: UUID, body: ReferralBody) -> ReferralReceived:
    return ReferralReceived(
        referral=id,
        patient=patient,
        source_type=body.source_type,
        channel=body.channel,
        urgency=body.urgency,
        reasons=body.reasons,
        payer=body.payer,
        payer_name=await sealed(caller, patient, FreeText, body.payer_name),
        member_id=await sealed(caller, patient, MemberId, body.member_id),
        requester=await sealed(caller, patient, FreeText, body.requester),
        external_id=await sealed(caller, patient, RecordNumber, body.external_id),
        note=await sealed(caller, patient, FreeText, body.note),
    )


async def _person(caller: Caller, patient: UUID, body: PersonBody) -> PersonRegistered:
    contact = await sealed_contact(caller, patient, body.contact)
    return PersonRegistered(
        patient=patient,
        name=await caller.seal(patient, PersonName(family=body.family, given=body.given)),
        birth_date=await sealed(caller, patient, BirthDate, body.birth_date),
        gender=body.gender,
        address=contact.address,
        email=contact.email,
        phone=contact.phone,
        time_zone=body.contact.time_zone,
    )
