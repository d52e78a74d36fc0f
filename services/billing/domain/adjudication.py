"""What a payer's answer means: denials are found from adjustment reasons, not from the claim status alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from services.billing.domain.adjustment_reasons import ADJUSTMENT_REASONS


class AdjustmentGroup(StrEnum):
    """CAS01 (X12 data element 1033)."""

    CONTRACTUAL_OBLIGATION = "CO"
    PATIENT_RESPONSIBILITY = "PR"
    OTHER_ADJUSTMENT = "OA"
    PAYER_INITIATED_REDUCTION = "PI"
    CORRECTION_AND_REVERSAL = "CR"


class ClaimStatus(StrEnum):
    """CLP02 in 005010X221A1. PROCESSED_AS_… does not mean paid."""

    PROCESSED_AS_PRIMARY = "1"
    PROCESSED_AS_SECONDARY = "2"
    PROCESSED_AS_TERTIARY = "3"
    DENIED = "4"
    PROCESSED_AS_PRIMARY_FORWARDED = "19"
    PROCESSED_AS_SECONDARY_FORWARDED = "20"
    PROCESSED_AS_TERTIARY_FORWARDED = "21"
    REVERSAL_OF_PREVIOUS_PAYMENT = "22"
    NOT_OUR_CLAIM_FORWARDED = "23"
    PREDETERMINATION_PRICING_ONLY = "25"


class ClaimVerdict(StrEnum):
    """What happens next: post, open denials, compensate, or ask a person."""

    PAID = "paid"
    PARTLY_DENIED = "partly_denied"
    DENIED = "denied"
    REVERSAL = "reversal"
    REVIEW = "review"


class Adjustment(Protocol):
    """An amount taken off a charge, with its group and reason (CARC)."""

    @property
    def group(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...


class AdjudicatedLine(Protocol):
    """A service line as the payer answered it."""

    @property
    def charge(self) -> Decimal: ...
    @property
    def paid(self) -> Decimal: ...
    @property
    def adjustments(self) -> Sequence[Adjustment]: ...


class AdjudicatedClaim(Protocol):
    """A claim as the payer answered it; `adjustments` are those of claim level, `status` is CLP02."""

    @property
    def status(self) -> str: ...
    @property
    def charge(self) -> Decimal: ...
    @property
    def paid(self) -> Decimal: ...
    @property
    def adjustments(self) -> Sequence[Adjustment]: ...
    @property
    def lines(self) -> Sequence[AdjudicatedLine]: ...


@dataclass(frozen=True, slots=True)
class UnknownReason:
    """A group and reason that the table does not know."""

    group: str
    reason: str


def line_denied(line: AdjudicatedLine) -> bool:
    """Charged more than 0 (SVC02), paid 0 (SVC03), and a reason of a denying class in any group (CAS).

    CLP02 says how a claim was processed, not that it was paid (005010X221A1): lines are judged by amounts.
    """
    return line.charge > 0 and line.paid == 0 and any(map(_denies, line.adjustments))


def claim_verdict(claim: AdjudicatedClaim) -> ClaimVerdict:
    """Denied when all its lines are or CLP02 says 4; a claim without lines is judged as one line.

    A reversal is no denial. REVIEW, for a person: an unknown reason on anything not denied, an unknown
    claim status, or a claim paid 0 by a denying reason of claim level above lines that are not denied.
    """
    if claim.status == ClaimStatus.REVERSAL_OF_PREVIOUS_PAYMENT:
        return ClaimVerdict.REVERSAL
    denied = [line_denied(line) for line in _judged(claim)]
    if claim.status == ClaimStatus.DENIED or all(denied):
        return ClaimVerdict.DENIED
    if _needs_a_person(claim, any(denied)):
        return ClaimVerdict.REVIEW
    return ClaimVerdict.PARTLY_DENIED if any(denied) else ClaimVerdict.PAID


def denied_lines(claim: AdjudicatedClaim) -> tuple[AdjudicatedLine, ...]:
    """The lines to open denials for, in order; the claim itself where it has no lines; none of a reversal."""
    if claim.status == ClaimStatus.REVERSAL_OF_PREVIOUS_PAYMENT:
        return ()
    return tuple(line for line in _judged(claim) if line_denied(line))


def unknown_reasons(claim: AdjudicatedClaim) -> tuple[UnknownReason, ...]:
    """What a person has to look at, wherever it stands in the claim; empty when every reason is known."""
    return tuple(
        UnknownReason(one.group, one.reason) for one in _every(claim) if one.reason not in ADJUSTMENT_REASONS
    )


def _judged(claim: AdjudicatedClaim) -> Sequence[AdjudicatedLine]:
    return claim.lines or (claim,)


def _every(claim: AdjudicatedClaim) -> Iterator[Adjustment]:
    yield from claim.adjustments
    for line in claim.lines:
        yield from line.adjustments


def _denies(adjustment: Adjustment) -> bool:
    reason = ADJUSTMENT_REASONS.get(adjustment.reason)
    return reason is not None and reason.reason_class.denies


def _needs_a_person(claim: AdjudicatedClaim, any_line_denied: bool) -> bool:
    open_adjustments = [
        *claim.adjustments,
        *(one for line in claim.lines if not line_denied(line) for one in line.adjustments),
    ]
    unknown = any(one.reason not in ADJUSTMENT_REASONS for one in open_adjustments)
    denied_above_lines = (
        bool(claim.lines) and claim.paid == 0 < claim.charge and any(map(_denies, claim.adjustments))
    )
    return unknown or claim.status not in list(ClaimStatus) or (denied_above_lines and not any_line_denied)
