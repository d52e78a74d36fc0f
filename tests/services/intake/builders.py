"""Builders for intake's tests: persons, referrals, admissions, and a scenario with everything in it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from caretrail_contracts.codes import LevelOfCare, Urgency
from caretrail_contracts.intake import (
    EpisodeOpened,
    PatientAdmitted,
    PersonReferred,
    PersonRegistered,
    ReferralAccepted,
    ReferralReceived,
    SourceType,
)
from caretrail_contracts.sealed import PersonName, PhoneNumber, Sealed

from chassis.ids import derive
from services.intake.commands import AdmitPatient, ReceiveReferral, handlers
from services.intake.domain.episode import Episode, episode_id
from services.intake.domain.person import Person
from services.intake.domain.referral import Referral
from services.intake.policies import policies
from services.intake.projections.census import Census
from services.intake.projections.persons import Persons
from services.intake.projections.referrals import ReferralPipeline
from tests.scenario import NOON, Scenario

ANA = derive("patient", "ana")
BEN = derive("patient", "ben")
REFERRAL = derive("referral", "ana")
EPISODE = episode_id(REFERRAL)
TODAY = NOON.date()


def scenario() -> Scenario:
    """Intake's rules on an empty log."""
    return Scenario(handlers, policies, (ReferralPipeline(), Census(), Persons()), service="intake")


def name_of(patient: UUID = ANA) -> Sealed[PersonName]:
    """A sealed name; nobody can open it."""
    return Sealed[PersonName](kid=f"{patient}.1", nonce="bm9uY2Vub25jZTEy", ct="c2VhbGVk")


def phone_of(patient: UUID = ANA, ct: str = "cGhvbmU=") -> Sealed[PhoneNumber]:
    """A sealed number."""
    return Sealed[PhoneNumber](kid=f"{patient}.1", nonce="bm9uY2Vub25jZTEy", ct=ct)


def registered(patient: UUID = ANA, **fields: Any) -> PersonRegistered:
    """A person became known."""
    return PersonRegistered(patient=patient, name=name_of(patient), **fields)


def received(referral: UUID = REFERRAL, patient: UUID = ANA, **fields: Any) -> ReferralReceived:
    """A referral came in."""
    given: dict[str, Any] = {
        "source_type": SourceType.HOSPITAL, "channel": "api", "urgency": Urgency.ROUTINE, "payer": "acme",
    }  # fmt: skip
    return ReferralReceived(referral=referral, patient=patient, **(given | fields))


def referred(referral: UUID = REFERRAL, patient: UUID = ANA, **fields: Any) -> PersonReferred:
    """The same on the person's stream."""
    given: dict[str, Any] = {"source_type": SourceType.HOSPITAL, "received_on": TODAY}
    return PersonReferred(patient=patient, referral=referral, **(given | fields))


def receive(name: str = "ana", patient: UUID = ANA, **fields: Any) -> ReceiveReferral:
    """The command that takes in a referral, named by its business."""
    keys = {key: fields.pop(key) for key in ("match_key", "external_key") if key in fields}
    person = registered(patient, **{key: fields.pop(key) for key in ("phone",) if key in fields})
    return ReceiveReferral(
        person=person, referral=received(derive("referral", name), patient, **fields), **keys
    )


def admit(**fields: Any) -> AdmitPatient:
    """The command that opens an episode."""
    given: dict[str, Any] = {
        "referral": REFERRAL, "patient": ANA, "track": "adult-evening", "site": "main-street",
        "level_of_care": LevelOfCare.INTENSIVE_OUTPATIENT, "admitted_on": TODAY,
    }  # fmt: skip
    return AdmitPatient(**(given | fields))


def admitted(**fields: Any) -> PatientAdmitted:
    """An episode opened."""
    return PatientAdmitted(episode=EPISODE, **(admit().model_dump() | {"payer": "acme"} | fields))


async def with_accepted() -> Scenario:
    """Ana was referred and accepted."""
    found = scenario()
    await found.given(Person, ANA, registered(), referred())
    await found.given(Referral, REFERRAL, received(), ReferralAccepted())
    return found


async def with_admitted(on: date = TODAY) -> Scenario:
    """Ana is in care."""
    found = await with_accepted()
    opened = EpisodeOpened(patient=ANA, episode=EPISODE, referral=REFERRAL, admitted_on=on)
    await found.given(Person, ANA, opened)
    await found.given(Episode, EPISODE, admitted(admitted_on=on))
    return found
