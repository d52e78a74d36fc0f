"""What intake is sent: plain values, sealed at the door."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from caretrail_contracts.codes import Code, LevelOfCare, TimeZone, Urgency
from caretrail_contracts.intake import AdministrativeGender, DeclineReason, DischargeType, SourceType
from caretrail_contracts.sealed import PostalAddress
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from web.text import Line, Lines
from web.times import Day


class Body(BaseModel):
    """A request's body: closed to unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def example(**fields: Any) -> ConfigDict:
    """The configuration of a body with an example."""
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [fields]})


MAILBOX = r"^[^@\s<>,\x00-\x1f\x7f]+@[^@\s<>,\x00-\x1f\x7f]+$"
Mailbox = Annotated[str, StringConstraints(pattern=MAILBOX, max_length=200)]


@cache
def _zones() -> set[str]:
    return available_timezones()


class AddressBody(PostalAddress):
    """A United States postal address."""

    line: Line
    city: Line


class ContactBody(Body):
    """Where a person can be reached; what is left out is not known."""

    model_config = example(email="reader-17@example.org", time_zone="America/Chicago")

    address: AddressBody | None = None
    email: Mailbox | None = None
    phone: Line | None = None
    time_zone: TimeZone = "America/New_York"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        """A zone that the time zone database has."""
        if value not in _zones():
            raise ValueError("an IANA time zone, such as America/New_York")
        return value


class PersonBody(Body):
    """A person as a referrer names them. Without a birth date nobody is matched."""

    family: Line
    given: Line
    birth_date: Day | None = None
    gender: AdministrativeGender = AdministrativeGender.UNKNOWN
    contact: ContactBody = ContactBody()


class ReferralBody(Body):
    """A referral. ``payer`` is a code of the program, ``payer_name`` the words where none is known."""

    model_config = example(
        person={
            "family": "Rivera",
            "given": "Ana",
            "birth_date": "1990-04-12",
            "gender": "female",
            "contact": {"email": "reader-17@example.org", "time_zone": "America/New_York"},
        },
        source_type="hospital",
        channel="phone",
        urgency="urgent",
        reasons=["F33.1"],
        payer="acme-health",
        member_id="W123456789",
        requester="Discharge planning, General Hospital",
    )

    person: PersonBody
    source_type: SourceType
    channel: Code = "http"
    urgency: Urgency = Urgency.ROUTINE
    reasons: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    payer: Code | None = None
    payer_name: Line | None = None
    member_id: Line | None = None
    requester: Line | None = None
    external_id: Line | None = None
    note: Lines | None = None


class TriageBody(Body):
    """A coordinator's judgment."""

    model_config = example(urgency="urgent", level_of_care="2.1")

    urgency: Urgency
    level_of_care: LevelOfCare = LevelOfCare.INTENSIVE_OUTPATIENT


class DeclineBody(Body):
    """Why a referral is declined."""

    model_config = example(reason="out_of_area")

    reason: DeclineReason


class AdmissionBody(Body):
    """Where and how a patient is admitted."""

    model_config = example(
        referral="6a7e2f3c-8a31-5d3b-9a6f-0f2a4d1c7b10",
        track="adult-evening",
        site="main-street",
        level_of_care="2.1",
        admitted_on="2026-03-02",
    )

    referral: UUID
    track: Code
    site: Code
    level_of_care: LevelOfCare = LevelOfCare.INTENSIVE_OUTPATIENT
    payer: Code | None = None
    member_id: Line | None = None
    admitted_on: Day


class DischargeBody(Body):
    """How an episode ends."""

    model_config = example(discharge_type="completed", discharged_on="2026-05-22")

    discharge_type: DischargeType
    discharged_on: Day
