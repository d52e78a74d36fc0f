"""What payers take off charges and payments: groups, reasons, amounts."""

from __future__ import annotations

from enum import StrEnum

from .codes import Code, Money
from .event import Value


class AdjustmentGroup(StrEnum):
    """Who bears an adjustment (X12 CAS01)."""

    CONTRACTUAL = "CO"
    PATIENT = "PR"
    OTHER = "OA"
    PAYER = "PI"
    CORRECTION = "CR"


class Adjustment(Value):
    """Why a payer pays less than was charged (X12 CAS)."""

    group: AdjustmentGroup
    reason: Code
    amount: Money


class ProviderAdjustment(Value):
    """What a payer adds to or takes off a whole payment (X12 PLB); a positive amount reduces it."""

    reason: Code
    amount: Money
