"""Refusals and warnings of X12 files: each names a place, and none holds a value of the file."""

from dataclasses import dataclass
from decimal import Decimal


class X12Error(ValueError):
    """The file is refused whole. Segments are counted from the first ISA, which is 1."""

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

    def __init__(self, level: str, rule: str, difference: Decimal, *, segment: int, segment_id: str) -> None:
        self.level = level
        self.difference = difference
        super().__init__(
            f"{level} is out of balance by {difference}", rule, segment=segment, segment_id=segment_id
        )


@dataclass(frozen=True, slots=True)
class Warning:
    """Something odd that was read all the same; `what` never holds a value of the file."""

    segment: int
    segment_id: str
    what: str
    element: int = 0
