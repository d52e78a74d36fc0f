"""Refusals and warnings of X12 files: each names a place, and none holds a value of the file."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar


class X12Error(ValueError):
    """The file is refused whole, by `rule`. Segments are counted from the first ISA, which is 1."""

    rule: ClassVar = "RemittanceUnreadable"

    def __init__(
        self, what: str, expected: str, *, segment: int = 0, segment_id: str = "", element: int = 0
    ) -> None:
        self.what = what
        self.expected = expected
        self.segment = segment
        self.segment_id = segment_id
        self.element = element
        super().__init__(f"{self.place}: {what}; expected {expected}")

    @property
    def place(self) -> str:
        """Such as `segment 19 CLP04`; `segment 19` without an id to tell; `file` without segments."""
        if not self.segment:
            return "file"
        element = f"{self.element:02d}" if self.element else ""
        return f"segment {self.segment} {self.segment_id}{element}".rstrip()


class OutOfBalance(X12Error):
    """Amounts that must add up do not (TR3 005010X221A1, 1.10.2): nothing of the file may be posted."""

    rule = "RemittanceOutOfBalance"

    def __init__(
        self, level: str, rule: str, difference: Decimal, *, segment: int, segment_id: str, element: int = 0
    ) -> None:
        self.level = level
        self.difference = difference
        what = f"{level} is out of balance by {difference}"
        super().__init__(what, rule, segment=segment, segment_id=segment_id, element=element)


class Repeated(X12Error):
    """A payment stands twice in the file."""

    rule = "RemittanceRepeated"


class AmountTooLarge(X12Error):
    """No event can hold the amount."""

    rule = "AmountTooLarge"


class TooLarge(X12Error):
    """No command can hold so many payments, or no event so many adjustments."""

    rule = "RemittanceTooLarge"


@dataclass(frozen=True, slots=True)
class Warning:
    """Something odd that was read all the same; `what` never holds a value of the file."""

    segment: int
    segment_id: str
    what: str
    element: int = 0
