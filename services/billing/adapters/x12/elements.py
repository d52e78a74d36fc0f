"""Elements of a segment as values: amounts and dates, each refused or warned about by its place."""

import re
from datetime import date
from decimal import Decimal

from services.billing.adapters.x12.errors import Warning
from services.billing.adapters.x12.money import NotAnAmount, parse_amount
from services.billing.adapters.x12.reader import Segment

_DATE = re.compile(r"[0-9]{8}")


def amount_at(segment: Segment, position: int) -> Decimal:
    """The amount of a required element; raises X12Error when it is missing or no plain number."""
    text = segment.get(position)
    if not text.strip():
        raise segment.refuse("amount missing", "a decimal amount", position)
    try:
        return parse_amount(text)
    except NotAnAmount as error:
        raise segment.refuse(str(error), "such as 400, 67.5 or -1.27", position) from None


def optional_amount_at(segment: Segment, position: int) -> Decimal | None:
    """The amount of an optional element, None when it is empty."""
    return amount_at(segment, position) if segment.get(position).strip() else None


def date_at(segment: Segment, position: int, warnings: list[Warning]) -> date | None:
    """CCYYMMDD; None when empty, and with a warning when it is no date (real files hold some)."""
    text = segment.get(position).strip()
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        warnings.append(segment.warn("not a date (CCYYMMDD); left out", position))
        return None
