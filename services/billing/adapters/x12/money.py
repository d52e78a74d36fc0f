"""Amounts of X12 (type R, implied nothing): text to Decimal cents and back, never through a float."""

import re
from decimal import Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
DIGITS_MAX = 18  # X12 data element 782 (monetary amount) holds at most 18 digits
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


class NotAnAmount(ValueError):
    """The text is no plain decimal number of at most 18 digits and whole cents."""


def parse_amount(text: str) -> Decimal:
    """Cents of `400`, `.5`, `100.`, `+5`, `-1.27`; raises NotAnAmount for exponents and split cents."""
    text = text.strip()
    if not _AMOUNT.fullmatch(text) or sum(map(str.isdigit, text)) > DIGITS_MAX:
        raise NotAnAmount("not a plain decimal number")
    amount = Decimal(text)
    cents = amount.quantize(CENT)
    if cents != amount:
        raise NotAnAmount("more than two decimals")
    return cents + ZERO  # adding zero turns -0.00 into 0.00


def show_amount(amount: Decimal) -> str:
    """Two places, as in every answer of ours: `400.00`."""
    return f"{amount.quantize(CENT) + ZERO:f}"


def x12_amount(amount: Decimal) -> str:
    """As X12 writes it: no trailing zeros after the point, no leading zero needed, `400`, `67.5`, `-1.27`."""
    text = show_amount(amount)
    return text.rstrip("0").rstrip(".")
