"""CAS and PLB: the adjustments of claims, lines and providers, however triplets and pairs are filled."""

from services.billing.adapters.x12.elements import amount_at, optional_amount_at
from services.billing.adapters.x12.errors import Warning
from services.billing.adapters.x12.money import ZERO
from services.billing.adapters.x12.reader import Segment
from services.billing.adapters.x12.remittance import ProviderAdjustment, RemittedAdjustment

GROUPS = frozenset({"CO", "PR", "OA", "PI", "CR"})  # data element 1033
_TRIPLETS_END = 19  # CAS holds at most six triplets: CAS02 to CAS19
_PAIRS_END = 14  # PLB holds at most six pairs: PLB03 to PLB14


def adjustments_of(segment: Segment, warnings: list[Warning]) -> list[RemittedAdjustment]:
    """Of a CAS: reason, amount, quantity up to six times; empty quantities and triplets are read over."""
    if segment.get(1).strip() not in GROUPS:
        warnings.append(segment.warn("unknown adjustment group", 1))
    if any(text.strip() for text in segment.elements[_TRIPLETS_END:]):
        raise segment.refuse("more than six adjustments", "at most CAS19", _TRIPLETS_END + 1)
    group, found = segment.get(1).strip(), []
    for position in range(2, min(len(segment.elements), _TRIPLETS_END) + 1, 3):
        reason, amount = segment.get(position).strip(), segment.get(position + 1).strip()
        if reason:
            found.append(_adjustment(segment, position, group, warnings))
        elif amount:
            raise segment.refuse("an amount without a reason", "a reason before it", position)
    if not found:
        raise segment.refuse("no adjustment in it", "a reason and an amount", 2)
    return found


def _adjustment(segment: Segment, position: int, group: str, warnings: list[Warning]) -> RemittedAdjustment:
    """An amount may be left out where a quantity stands (X12 syntax note L050607); then it is 0."""
    amount = optional_amount_at(segment, position + 1)
    if amount is None and segment.get(position + 2).strip():
        warnings.append(segment.warn("a quantity without an amount; read as 0", position + 1))
        amount = ZERO
    if amount is None:
        raise segment.refuse("amount missing", "a decimal amount", position + 1)
    return RemittedAdjustment(group, segment.get(position).strip(), amount, segment.number)


def provider_adjustments_of(segment: Segment, component: str) -> list[ProviderAdjustment]:
    """Of a PLB: a composite of reason and reference with its amount, up to six times."""
    if any(text.strip() for text in segment.elements[_PAIRS_END:]):
        raise segment.refuse("more than six adjustments", "at most PLB14", _PAIRS_END + 1)
    found = []
    for position in range(3, max(min(len(segment.elements), _PAIRS_END), 4) + 1, 2):
        text, amount = segment.get(position).strip(), segment.get(position + 1).strip()
        if text:
            reason, _, reference = text.partition(component)
            cents = amount_at(segment, position + 1)
            found.append(ProviderAdjustment(reason, reference, cents, segment.number))
        elif amount:
            raise segment.refuse("an amount without a reason", "a reason before it", position)
    if not found:
        raise segment.refuse("no adjustment in it", "a reason and an amount", 3)
    return found
