"""Writes an interchange: envelopes, counts and control numbers, and no delimiter slips in through a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from services.billing.adapters.x12.errors import X12Error
from services.billing.adapters.x12.reader import Delimiters

Element: TypeAlias = str | tuple[str, ...]  # a tuple is a composite
Row: TypeAlias = tuple[Element, ...]  # a segment: its id, then its elements
DELIMITERS = Delimiters()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What ISA and GS say. Ids have at most 15 characters, control numbers at most nine digits."""

    sender: str
    receiver: str
    interchange_control: int
    group_control: int
    functional_id: str
    version: str
    created_at: datetime
    usage: str = "P"
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"


@dataclass(frozen=True, slots=True)
class Body:
    """A transaction set to be written: ST01, ST02, and the segments between ST and SE."""

    kind: str
    control: str
    rows: Sequence[Row]
    implementation: str = ""


def write_interchange(envelope: Envelope, bodies: Sequence[Body]) -> str:
    """One ISA … IEA with one group, a segment a line; raises X12Error where a value cannot be written."""
    rows: list[Row] = [_isa(envelope), _gs(envelope)]
    for body in bodies:
        opening = ("ST", body.kind, body.control, body.implementation)
        rows += [opening, *body.rows, ("SE", str(len(body.rows) + 2), body.control)]
    rows.append(("GE", str(len(bodies)), str(envelope.group_control)))
    rows.append(("IEA", "1", f"{envelope.interchange_control:09d}"))
    return "".join(_render(number, row) for number, row in enumerate(rows, start=1))


def _isa(envelope: Envelope) -> Row:
    if not 0 < envelope.interchange_control < 10**9 or not 0 < envelope.group_control < 10**9:
        raise X12Error("a control number out of range", "1 to 999999999", segment=1, segment_id="ISA")
    for element, value in ((6, envelope.sender), (8, envelope.receiver)):
        if not 0 < len(value) <= 15:
            expected = "1 to 15 characters"
            raise X12Error(
                "an id of the wrong length", expected, segment=1, segment_id="ISA", element=element
            )
    return (
        *("ISA", "00", " " * 10, "00", " " * 10),
        *(envelope.sender_qualifier, envelope.sender.ljust(15)),
        *(envelope.receiver_qualifier, envelope.receiver.ljust(15)),
        *(f"{envelope.created_at:%y%m%d}", f"{envelope.created_at:%H%M}"),
        *("^", "00501", f"{envelope.interchange_control:09d}", "0", envelope.usage, ":"),
    )


def _gs(envelope: Envelope) -> Row:
    return (
        *("GS", envelope.functional_id, envelope.sender, envelope.receiver),
        *(f"{envelope.created_at:%Y%m%d}", f"{envelope.created_at:%H%M}"),
        *(str(envelope.group_control), "X", envelope.version),
    )


def _render(number: int, row: Row) -> str:
    texts = [_element(number, row, position) for position in range(len(row))]
    while texts and not texts[-1]:
        texts.pop()
    return DELIMITERS.element.join(texts) + DELIMITERS.segment + "\n"


def _element(number: int, row: Row, position: int) -> str:
    element = row[position]
    parts = (element,) if isinstance(element, str) else element
    if row[0] != "ISA" and not all(is_writable(part) for part in parts):
        what, expected = "a character that cannot be written", "printable ASCII without * : ^ ~"
        raise X12Error(what, expected, segment=number, segment_id=str(row[0]), element=position)
    return DELIMITERS.component.join(parts).rstrip(DELIMITERS.component) if len(parts) > 1 else parts[0]


def is_writable(text: str) -> bool:
    """True for printable ASCII that holds no delimiter of ours."""
    return text.isascii() and (text.isprintable() or not text) and not set(text) & set("*:^~")
