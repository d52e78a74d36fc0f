"""Intake's events: persons, referrals, episodes of care."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from .codes import Code, LevelOfCare, TimeZone, Urgency
from .event import Event
from .sealed import (
    BirthDate,
    EmailAddress,
    FreeText,
    MemberId,
    PersonName,
    PhoneNumber,
    PostalAddress,
    RecordNumber,
    Sealed,
)


class SourceType(StrEnum):
    """Where a referral comes from."""

    HOSPITAL = "hospital"
    PCP = "pcp"
    SCHOOL = "school"
    PROBATION = "probation"
    SHELTER = "shelter"
    EAP = "eap"
    SELF = "self"


class DeclineReason(StrEnum):
    """Why a referral is declined."""

    NOT_ELIGIBLE = "not_eligible"
    LEVEL_OF_CARE = "level_of_care"
    NO_CAPACITY = "no_capacity"
    PATIENT_DECLINED = "patient_declined"
    OUT_OF_AREA = "out_of_area"


class DischargeType(StrEnum):
    """How an episode ends."""

    COMPLETED = "completed"
    STEPPED_DOWN = "stepped_down"
    AMA = "ama"
    ADMINISTRATIVE = "administrative"
    TRANSFERRED_HIGHER = "transferred_higher"
    LOST_CONTACT = "lost_contact"
    DECEASED = "deceased"
    MOVED = "moved"
    INCARCERATED = "incarcerated"


class AdministrativeGender(StrEnum):
    """Administrative gender (FHIR administrative-gender; X12 DMG03 as M, F, U)."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class PersonRegistered(Event, service="intake"):
    """A person became known under a pseudonym."""

    patient: UUID
    name: Sealed[PersonName]
    birth_date: Sealed[BirthDate] | None = None
    gender: AdministrativeGender = AdministrativeGender.UNKNOWN
    address: Sealed[PostalAddress] | None = None
    email: Sealed[EmailAddress] | None = None
    phone: Sealed[PhoneNumber] | None = None
    time_zone: TimeZone = "America/New_York"


class PersonReferred(Event, service="intake"):
    """A person was referred; ``duplicate_of`` names the standing referral that this one repeats."""

    patient: UUID
    referral: UUID
    source_type: SourceType
    received_on: date
    duplicate_of: UUID | None = None


class EpisodeOpened(Event, service="intake"):
    """A person's one open episode began, on the person's own stream; PatientAdmitted tells its terms."""

    patient: UUID
    episode: UUID
    referral: UUID
    admitted_on: date


class EpisodeClosed(Event, service="intake"):
    """A person's open episode ended, on the person's own stream; PatientDischarged tells how."""

    patient: UUID
    episode: UUID
    discharged_on: date


class ContactChanged(Event, service="intake"):
    """Where a person can be reached changed; a field that is None was removed."""

    address: Sealed[PostalAddress] | None = None
    email: Sealed[EmailAddress] | None = None
    phone: Sealed[PhoneNumber] | None = None
    time_zone: TimeZone


class ReferralReceived(Event, service="intake"):
    """Somebody asked the program to treat a person.

    ``payer`` is a code of the program; ``payer_name`` the words that came where no code was known.
    """

    referral: UUID
    patient: UUID
    source_type: SourceType
    channel: Code
    urgency: Urgency
    reasons: tuple[Code, ...] = ()
    payer: Code | None = None
    payer_name: Sealed[FreeText] | None = None
    member_id: Sealed[MemberId] | None = None
    requester: Sealed[FreeText] | None = None
    external_id: Sealed[RecordNumber] | None = None
    note: Sealed[FreeText] | None = None


class ReferralDuplicateDetected(Event, service="intake"):
    """The same person came from the same kind of source within 30 days."""

    of: UUID
    received_on: date


class ReferralTriaged(Event, service="intake"):
    """A coordinator judged urgency and the level of care that seems right."""

    urgency: Urgency
    level_of_care: LevelOfCare


class ReferralAccepted(Event, service="intake"):
    """The program takes the person on."""


class ReferralDeclined(Event, service="intake"):
    """The program does not take the person on."""

    reason: DeclineReason


class PatientAdmitted(Event, service="intake"):
    """An episode of care opened."""

    episode: UUID
    patient: UUID
    referral: UUID
    track: Code
    site: Code
    level_of_care: LevelOfCare
    payer: Code
    member_id: Sealed[MemberId] | None = None
    admitted_on: date


class PatientDischarged(Event, service="intake"):
    """An episode of care closed."""

    episode: UUID
    discharge_type: DischargeType
    discharged_on: date
