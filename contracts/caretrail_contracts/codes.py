"""Value types shared by several services' events: codes of public code lists, money, minutes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=64)]
"""A code or a name of configuration; never a person's words."""

Label = Annotated[str, StringConstraints(min_length=1, max_length=120)]
"""A short label that the program gave something of its own (a track, a site, a rule)."""

Icd10 = Annotated[str, StringConstraints(pattern=r"^[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?$")]
"""An ICD-10-CM diagnosis code with its dot (chapter 22, U00-U85, included: U07.1, U09.9)."""

Hcpcs = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{5}$")]
"""A HCPCS or CPT procedure code."""

Npi = Annotated[str, StringConstraints(pattern=r"^[12][0-9]{9}$")]
"""A National Provider Identifier (45 CFR 162.406)."""

TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$", max_length=64)]
"""An IANA time zone."""

Minutes = Annotated[int, Field(ge=0, le=1440)]
Units = Annotated[int, Field(ge=0, le=10_000)]
CENT = Decimal("0.01")


def _to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT) + 0  # + 0: no negative zero


Money = Annotated[
    Decimal,
    Field(max_digits=12, decimal_places=2),
    AfterValidator(_to_the_cent),
    WithJsonSchema({"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,9})\.[0-9]{2}$"}),
]
"""An amount in US dollars; JSON carries it as a string with two places, whatever was given."""


class Urgency(StrEnum):
    """How soon somebody must act (FHIR request-priority)."""

    ROUTINE = "routine"
    URGENT = "urgent"
    ASAP = "asap"
    STAT = "stat"


class LevelOfCare(StrEnum):
    """ASAM levels of care of an outpatient programme."""

    OUTPATIENT = "1.0"
    INTENSIVE_OUTPATIENT = "2.1"
    PARTIAL_HOSPITALIZATION = "2.5"


class RiskLevel(StrEnum):
    """Level of suicide risk by the C-SSRS screener's triage."""

    NONE = "none"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    INCOMPLETE = "incomplete"
