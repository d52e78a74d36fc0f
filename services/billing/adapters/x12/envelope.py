"""Envelopes: every count and control number of SE, GE and IEA must agree before a body is looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from services.billing.adapters.x12.errors import Warning
from services.billing.adapters.x12.reader import Delimiters, Interchange, Segment


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """One ST … SE, both included, with what its envelope says: GS01, GS08, and the delimiters."""

    functional_id: str
    version: str
    delimiters: Delimiters
    segments: tuple[Segment, ...]

    @property
    def kind(self) -> str:
        """ST01, such as 835."""
        return self.segments[0].get(1)

    @property
    def content(self) -> str:
        """The digest of what the set says, however it is packed: equal in two files that say the same.

        What stands between ST and SE counts, each element without the blanks around it, and without the
        empty ones that end a segment. The envelopes, their control numbers and counts do not: who sends a
        payment again, by itself or among others, numbers them anew. Nor do delimiters, line ends, encoding.
        """
        return sha256("\x1e".join(map(self._plain, self.segments[1:-1])).encode()).hexdigest()

    def _plain(self, segment: Segment) -> str:
        """A segment with delimiters of our own, which no element may hold."""
        component, repetition = self.delimiters.component, self.delimiters.repetition
        marks = str.maketrans({repetition: "\x1c", component: "\x1d"})
        elements = (element.strip().translate(marks) for element in segment.elements)
        return "\x1f".join((segment.id, *elements)).rstrip("\x1f")


def open_interchanges(
    interchanges: Iterable[Interchange],
) -> tuple[tuple[TransactionSet, ...], tuple[Warning, ...]]:
    """The transaction sets of all interchanges; raises X12Error on a wrong count or control number."""
    sets: list[TransactionSet] = []
    warnings: list[Warning] = []
    for interchange in interchanges:
        sets += _open_interchange(interchange, warnings)
    return tuple(sets), tuple(warnings)


def _open_interchange(interchange: Interchange, warnings: list[Warning]) -> list[TransactionSet]:
    isa, *body, iea = interchange.segments
    while body and body[0].id == "TA1":
        body = body[1:]
    groups = _spans(body, "GS", "GE", "IEA")
    _check_count(iea, len(groups), "functional groups")
    _check_control(isa, 13, iea, warnings)
    return [one for group in groups for one in _open_group(group, interchange.delimiters, warnings)]


def _open_group(
    group: Sequence[Segment], delimiters: Delimiters, warnings: list[Warning]
) -> list[TransactionSet]:
    gs, *body, ge = group
    sets = _spans(body, "ST", "SE", "GE")
    _check_count(ge, len(sets), "transaction sets")
    _check_control(gs, 6, ge, warnings)
    controls = [one[0].get(2) for one in sets]
    if len(set(controls)) < len(controls):
        warnings.append(gs.warn("two transaction sets with the same ST02"))
    for one in sets:
        _check_count(one[-1], len(one), "segments")
        if one[0].get(2) != one[-1].get(2):
            raise one[-1].refuse("control number differs from ST02", "that of the set's ST", 2)
    return [TransactionSet(gs.get(1), gs.get(8), delimiters, tuple(one)) for one in sets]


def _spans(body: Sequence[Segment], opens: str, closes: str, outer: str) -> list[list[Segment]]:
    """Cuts `body` into runs from `opens` to `closes`; anything beside or across them is refused."""
    spans: list[list[Segment]] = []
    current: list[Segment] = []
    for segment in body:
        if bool(current) == (segment.id == opens):
            raise segment.refuse("out of its envelope", closes if current else f"{opens} or {outer}")
        current.append(segment)
        if segment.id == closes:
            spans.append(current)
            current = []
    if current:
        raise current[0].refuse("never closed", f"{closes} before {outer}")
    return spans


def _check_count(trailer: Segment, counted: int, what: str) -> None:
    said = trailer.get(1).strip()
    if not (said.isascii() and said.isdigit()) or int(said) != counted:
        raise trailer.refuse(f"wrong number of {what}", f"{counted}, as counted", 1)


def _check_control(header: Segment, position: int, trailer: Segment, warnings: list[Warning]) -> None:
    """ISA13 and GS06 are numbers: 907 equals 000000907, with a warning."""
    opened, closed = header.get(position).strip(), trailer.get(2).strip()
    if opened == closed and opened:
        return
    if (opened + closed).isascii() and opened.isdigit() and closed.isdigit() and int(opened) == int(closed):
        warnings.append(trailer.warn("control number padded otherwise than in its header", 2))
        return
    raise trailer.refuse("control number differs", f"that of {header.id}{position:02d}", 2)
