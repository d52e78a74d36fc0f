"""From bytes to segments: finds each ISA, takes its delimiters, splits up to its IEA."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.billing.adapters.x12.errors import Warning, X12Error

FILE_BYTES_MAX = 16 * 1024 * 1024  # an 835 of 10,000 claims, the most that payers put in one, has about 10 MB
ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)  # X12.5: ISA is fixed at 106 characters
_SEGMENT_ID = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_OTHER_SEPARATOR = re.compile(r"([A-Z][A-Z0-9]{1,2})[^A-Za-z0-9\s]")
# X12.5 envelopes and 005010X221A1: whatever else stands where an id should may be somebody's name
NUL = "\0"
"""In no database's text, be it a delimiter."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_IDS = """
ISA TA1 GS ST BPR NTE TRN CUR REF DTM N1 N2 N3 N4 PER RDM LX TS2 TS3 CLP CAS NM1 MIA MOA AMT QTY SVC LQ PLB
SE GE IEA
"""
_SEGMENT_IDS = frozenset(_IDS.split())
_FILLER = (
    " \t\r\n\x00\x1a\ufeff"  # blanks, DOS end-of-file marks and stray byte-order marks between interchanges
)


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The four characters an interchange chose in its ISA; `segment` is a line end when lines end them."""

    element: str = "*"
    component: str = ":"
    repetition: str = "^"
    segment: str = "~"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its number in the file (the first ISA is 1), its id, and its elements after the id."""

    number: int
    id: str
    elements: tuple[str, ...]

    def get(self, position: int) -> str:
        """Element `position` as the standard numbers it (CLP03 is 3); empty when the segment is shorter."""
        return self.elements[position - 1] if 0 < position <= len(self.elements) else ""

    def refuse(self, what: str, expected: str, element: int = 0) -> X12Error:
        """The refusal that names this place; the caller raises it."""
        return X12Error(what, expected, segment=self.number, segment_id=_shown(self.id), element=element)

    def warn(self, what: str, element: int = 0) -> Warning:
        """The warning that names this place."""
        return Warning(self.number, _shown(self.id), what, element)


def _shown(id: str) -> str:
    return id if id in _SEGMENT_IDS else ""


@dataclass(frozen=True, slots=True)
class Interchange:
    """ISA … IEA as they stand, envelope segments included."""

    delimiters: Delimiters
    segments: tuple[Segment, ...]


def read_interchanges(data: bytes) -> tuple[tuple[Interchange, ...], tuple[Warning, ...]]:
    """All interchanges of a file; raises X12Error when it holds none, is cut off, or mixes separators."""
    text, warnings = _decode(data)
    position, number = _skip_filler(text, 0), 1
    found: list[Interchange] = []
    while position < len(text) or not found:
        delimiters, isa, position = _read_isa(text, position, number, warnings)
        segments = [isa]
        for segment, behind in _split(text, position, delimiters, number + 1, warnings):
            segments.append(segment)
            position = behind
            if segment.id == "IEA":
                break
        number += len(segments)
        if segments[-1].id != "IEA":
            raise segments[-1].refuse(
                "the file ends inside an interchange", "its IEA; ask for the file again"
            )
        found.append(Interchange(delimiters, tuple(segments)))
        position = _skip_filler(text, position)
    return tuple(found), tuple(warnings)


def _decode(data: bytes) -> tuple[str, list[Warning]]:
    if not data.strip(_FILLER.encode()):
        raise X12Error("it is empty", "an X12 835 (005010X221A1)")
    if len(data) > FILE_BYTES_MAX:
        raise X12Error("it is over the limit", f"at most {FILE_BYTES_MAX} bytes")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16"), []
        except UnicodeDecodeError as error:
            raise X12Error("bytes that are no text", "text in ASCII, UTF-8 or Windows-1252") from error
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        return text, [Warning(0, "", "not UTF-8; read as Windows-1252")]


def _skip_filler(text: str, position: int) -> int:
    while position < len(text) and text[position] in _FILLER:
        position += 1
    return position


def _read_isa(text: str, start: int, number: int, warnings: list[Warning]) -> tuple[Delimiters, Segment, int]:
    """The delimiters of the ISA at `start`, the ISA, and where the next segment begins."""
    if text[start : start + 3] != "ISA":
        what = "no ISA at the start" if number == 1 else "something other than an ISA after an IEA"
        raise X12Error(what, "an interchange that begins with ISA", segment=number)
    separator = text[start + 3 : start + 4]
    if not separator or separator.isalnum() or separator in _FILLER:
        raise X12Error("no element separator", "ISA and a separator", segment=number, segment_id="ISA")
    end = _behind_separators(text, start + 4, separator)
    if not end or end + 1 >= len(text):
        raise X12Error("ISA is cut off", "16 elements", segment=number, segment_id="ISA")
    values = text[start + 4 : end - 1].replace("\r", "").replace("\n", "").split(separator)
    component, terminator = text[end], "\n" if text[end + 1 : end + 3] == "\r\n" else text[end + 1]
    isa = Segment(number, "ISA", (*values, component))
    _check_isa(isa, terminator, separator, warnings)
    given = Delimiters(element=separator, component=component, segment=terminator)
    return replace(given, repetition=isa.get(11) or given.repetition), isa, end + 2


def _behind_separators(text: str, start: int, separator: str) -> int:
    """The position behind the 15th separator from `start`; 0 when there are fewer."""
    position = start
    for _ in range(15):
        position = text.find(separator, position) + 1
        if not position:
            return 0
    return position


def _check_isa(isa: Segment, terminator: str, separator: str, warnings: list[Warning]) -> None:
    for position, width in enumerate(ISA_WIDTHS, start=1):
        if len(isa.get(position)) > width:
            raise isa.refuse("too long", f"{width} characters", position)
        if len(isa.get(position)) < width:
            warnings.append(isa.warn(f"shorter than its {width} characters", position))
    component = isa.get(16)
    if terminator.isalnum() or terminator == " " or component.isalnum() or component in _FILLER:
        raise isa.refuse("no component separator or segment terminator", "two marks after ISA15", 16)
    if len({separator, component, terminator}) < 3:
        raise isa.refuse("delimiters that are the same character", "different delimiters", 16)


def _split(
    text: str, position: int, delimiters: Delimiters, number: int, warnings: list[Warning]
) -> Iterator[tuple[Segment, int]]:
    """Segments after an ISA, each with the position behind it, until the text ends."""
    while position < len(text):
        end = text.find(delimiters.segment, position)
        ended = end >= 0
        raw = text[position : end if ended else len(text)].replace("\r", "").replace("\n", "")
        raw = raw.lstrip(_FILLER)
        position = end + 1 if ended else len(text)
        if not raw.strip(_FILLER):
            continue
        segment = _segment(raw, number, delimiters)
        if not ended and segment.id != "IEA":
            raise segment.refuse("the last segment is not ended", "a segment terminator and the IEA")
        if not ended and delimiters.segment not in "\r\n":
            warnings.append(segment.warn("not ended by the segment terminator"))
        yield segment, position
        number += 1


def _segment(raw: str, number: int, delimiters: Delimiters) -> Segment:
    name, *elements = raw.split(delimiters.element)
    if name == "ISA" or (raw.startswith("ISA") and len(raw) > 3 and not raw[3].isalnum()):
        raise X12Error("an ISA before the previous IEA", "IEA first", segment=number, segment_id="ISA")
    if _SEGMENT_ID.fullmatch(name):
        return _printable(Segment(number, name, tuple(elements)), delimiters)
    if other := _OTHER_SEPARATOR.match(name):
        what, expected = "an element separator that is not the ISA's", "one separator in envelope and body"
        raise X12Error(what, expected, segment=number, segment_id=_shown(other[1]))
    raise X12Error("no segment id", "two or three capital letters or digits", segment=number)


def _printable(segment: Segment, delimiters: Delimiters) -> Segment:
    """The segment, if its elements hold what X12's character sets may: no store or screen takes the rest."""
    for position, text in enumerate(segment.elements, start=1):
        marks = set(_UNPRINTABLE.findall(text)) - ({delimiters.component, delimiters.repetition} - {NUL})
        if marks:
            raise segment.refuse("a control character", "text", position)
    return segment
