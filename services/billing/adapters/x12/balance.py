"""An 835 balances at line, claim and transaction (TR3 005010X221A1, 1.10.2), or nothing of it is posted."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from services.billing.adapters.x12.errors import OutOfBalance, Warning
from services.billing.adapters.x12.money import ZERO
from services.billing.adapters.x12.remittance import (
    RemittanceAdvice,
    RemittedAdjustment,
    RemittedClaim,
    RemittedLine,
)


def total_of(adjustments: Iterable[RemittedAdjustment]) -> Decimal:
    """Sum of the amounts, in cents."""
    return sum((adjustment.amount for adjustment in adjustments), ZERO)


def balanced_line(line: RemittedLine) -> RemittedLine:
    """The line, if SVC02 - CAS = SVC03 (1.10.2.1.1); else raises OutOfBalance."""
    difference = line.charge - total_of(line.adjustments) - line.paid
    if difference:
        rule = "SVC02 less its CAS to equal SVC03"
        raise OutOfBalance("service line", rule, difference, segment=line.segment, segment_id="SVC")
    return line


def balanced_claim(claim: RemittedClaim, warnings: list[Warning]) -> RemittedClaim:
    """The claim, if CLP03 - CAS of claim and lines = CLP04 (1.10.2.1.2); else raises OutOfBalance.

    Some payers repeat the lines' adjustments at claim level. Where the claim balances by its lines alone and
    the claim's CAS repeat theirs to the cent, they are set aside as `repeated` and count once.
    """
    of_lines = total_of(adjustment for line in claim.lines for adjustment in line.adjustments)
    difference = claim.charge - total_of(claim.counted_adjustments) - claim.paid
    if difference and claim.charge - of_lines == claim.paid and _repeats_its_lines(claim):
        what = "adjustments of the lines repeated at claim level; counted once"
        warnings.append(Warning(claim.segment, "CLP", what))
        claim = replace(claim, adjustments=(), repeated=claim.adjustments)
    elif difference:
        rule = "CLP03 less every CAS of claim and lines to equal CLP04"
        raise OutOfBalance("claim", rule, difference, segment=claim.segment, segment_id="CLP")
    _check_patient_share(claim, warnings)
    if claim.lines and sum((line.charge for line in claim.lines), ZERO) != claim.charge:
        warnings.append(Warning(claim.segment, "CLP", "differs from the sum of SVC02", 3))
    return claim


def balanced_advice(advice: RemittanceAdvice, bpr_segment: int) -> RemittanceAdvice:
    """The advice, if BPR02 = CLP04 of all claims - PLB (1.10.2.1.3); else raises OutOfBalance."""
    paid = sum((claim.paid for claim in advice.claims), ZERO)
    withheld = sum((adjustment.amount for adjustment in advice.provider_adjustments), ZERO)
    if difference := advice.total - (paid - withheld):
        rule = "BPR02 to equal the sum of CLP04 less the sum of PLB"
        raise OutOfBalance("transaction", rule, difference, segment=bpr_segment, segment_id="BPR")
    return advice


def _repeats_its_lines(claim: RemittedClaim) -> bool:
    at_claim = _sums(claim.adjustments)
    at_lines = _sums(adjustment for line in claim.lines for adjustment in line.adjustments)
    return bool(at_claim) and all(at_lines.get(key) == amount for key, amount in at_claim.items())


def _sums(adjustments: Iterable[RemittedAdjustment]) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for adjustment in adjustments:
        key = (adjustment.group, adjustment.reason)
        sums[key] = sums.get(key, ZERO) + adjustment.amount
    return sums


def _check_patient_share(claim: RemittedClaim, warnings: list[Warning]) -> None:
    """Raise OutOfBalance where CLP05 (005010X221A1, loop 2100) is not what the CAS of group PR say.

    Payers leave it out, or write 0, where they do not tell: then the CAS alone count.
    """
    stated = claim.patient_responsibility
    share = total_of(one for one in claim.counted_adjustments if one.group == "PR")
    if stated and stated != share:
        rule = "CLP05 to equal the sum of the CAS of group PR"
        raise OutOfBalance("claim", rule, stated - share, segment=claim.segment, segment_id="CLP", element=5)
    if stated == ZERO != share:
        warnings.append(Warning(claim.segment, "CLP", "0 beside PR adjustments, which count", 5))
