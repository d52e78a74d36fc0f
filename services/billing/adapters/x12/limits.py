"""What no command or event could hold of a remittance is refused; a payer splits it into several files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from services.billing.adapters.x12.errors import AmountTooLarge, TooLarge
from services.billing.adapters.x12.money import ZERO
from services.billing.adapters.x12.remittance import RemittanceAdvice
from services.billing.commands.remittances import REMITTANCES_MAX

AMOUNT_MAX = Decimal(10) ** 10
"""Amounts of events have at most ten digits before the point."""

PROVIDER_ADJUSTMENTS_MAX = 5_000
"""Of one payment; they stand in one event, and files of payers hold a handful."""


def within_limits(advices: Iterable[RemittanceAdvice]) -> tuple[RemittanceAdvice, ...]:
    """The advices of a file, if events can hold them; else raises TooLarge or AmountTooLarge."""
    found = tuple(advices)
    if len(found) > REMITTANCES_MAX:
        raise _too_large(found[REMITTANCES_MAX], f"at most {REMITTANCES_MAX} payments in a file")
    for advice in found:
        if len(advice.provider_adjustments) > PROVIDER_ADJUSTMENTS_MAX:
            raise _too_large(advice, f"at most {PROVIDER_ADJUSTMENTS_MAX} adjustments in PLB")
        for segment, segment_id, amount in _amounts(advice):
            if abs(amount) >= AMOUNT_MAX:
                expected = "amounts below 10,000,000,000.00"
                raise AmountTooLarge(
                    "an amount is too large", expected, segment=segment, segment_id=segment_id
                )
    return found


def _too_large(advice: RemittanceAdvice, expected: str) -> TooLarge:
    return TooLarge("it is too large", expected, segment=advice.first_segment, segment_id="ST")


def _amounts(advice: RemittanceAdvice) -> Iterator[tuple[int, str, Decimal]]:
    """Every amount of a transaction set with its segment."""
    yield advice.first_segment, "ST", advice.total
    for withheld in advice.provider_adjustments:
        yield withheld.segment, "PLB", withheld.amount
    for claim in advice.claims:
        for amount in (claim.charge, claim.paid, claim.patient_responsibility or ZERO):
            yield claim.segment, "CLP", amount
        for line in claim.lines:
            yield line.segment, "SVC", line.charge
        for adjustment in claim.every_adjustment:
            yield adjustment.segment, "CAS", adjustment.amount
        # Events hold sums too: the patient's share, what is taken off, what is denied.
        yield claim.segment, "CLP", sum((abs(line.charge) for line in claim.lines), ZERO)
        yield claim.segment, "CLP", sum((abs(one.amount) for one in claim.counted_adjustments), ZERO)
