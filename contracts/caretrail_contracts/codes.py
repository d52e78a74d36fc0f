"""Value types shared by several services' events: codes of public code lists, money, minutes."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
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

_NPI = r"^[12][0-9]{9}$"


# A program's few clinicians are in every other event, and the check takes longer than the rest of the event.
@lru_cache(maxsize=4096)
def is_npi(text: str) -> bool:
    """Ten digits, the first 1 or 2, Luhn over 80840 + NPI (45 CFR 162.406; ISO/IEC 7812)."""
    if not re.fullmatch(_NPI, text, re.ASCII):
        return False
    digits = [int(digit) for digit in reversed(text)]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (24 + sum(digits[0::2]) + sum(doubled)) % 10 == 0  # 24 is the Luhn sum of the prefix 80840


def _checked(text: str) -> str:
    if not is_npi(text):
        raise ValueError("expected an NPI with its check digit")
    return text


Npi = Annotated[str, StringConstraints(pattern=_NPI), AfterValidator(_checked)]
"""A National Provider Identifier (45 CFR 162.406) with its check digit."""

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
