"""Reads the 837P files that providers send: a small reader of the payer's own."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any


class UnreadableClaimFile(ValueError):
    """The file is no readable 837P: nothing of it was adjudicated."""


@dataclass(frozen=True, slots=True)
class Line:
    """A service line: SV101 as it stands, its code, charge, units, day and the provider's control number."""

    procedure: str
    code: str
    charge: Decimal
    units: str
    day: str
    control: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as received; `file` is the name of the file it came in."""

    claim_id: str
    charge: Decimal
    frequency: str
    original: str
    authorization: str
    family: str
    given: str
    member_id: str
    filing: str
    provider: str
    npi: str
    tax_id: str
    file: str
    lines: tuple[Line, ...]

    @property
    def content(self) -> tuple[str, ...]:
        """What decisions follow: everything about the claim but the file it came in."""
        lines = (f"{one.procedure} {one.charge} {one.units} {one.day}" for one in self.lines)
        return (self.claim_id, self.frequency, self.authorization, *lines)

    def as_record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


@dataclass
class _Level:
    """The loops a claim stands in, and the claim while its segments come in."""

    provider: dict[str, str] = field(default_factory=dict)
    member: dict[str, str] = field(default_factory=dict)
    claim: dict[str, str] = field(default_factory=dict)
    lines: list[dict[str, str]] = field(default_factory=list)


def read_claims(text: str, file: str) -> tuple[Claim, ...]:
    """The claims of an 837P; raises UnreadableClaimFile with the number of the segment at fault."""
    segments = list(_segments(text))
    _check_counts(segments)
    claims: list[Claim] = []
    level = _Level()
    for number, segment in enumerate(segments, start=1):
        try:
            _take(segment, level, claims, file)
        except (ArithmeticError, LookupError) as error:
            raise UnreadableClaimFile(f"segment {number} cannot be read") from error
    if not claims:
        raise UnreadableClaimFile("no claim in the file")
    return tuple(claims)


def claim_from_record(record: dict[str, Any]) -> Claim:
    """The claim that `as_record` wrote, amounts as decimal strings."""
    lines = tuple(Line(**{**line, "charge": Decimal(line["charge"])}) for line in record["lines"])
    return Claim(**{**record, "charge": Decimal(record["charge"]), "lines": lines})


def _segments(text: str) -> Iterator[list[str]]:
    if len(text) < 106 or not text.startswith("ISA"):
        raise UnreadableClaimFile("segment 1 is no ISA of 106 characters")
    element, component, terminator = text[3], text[104], text[105]
    for raw in text.split(terminator):
        if segment := raw.strip("\r\n "):
            yield segment.replace(component, ":").split(element)


def _check_counts(segments: list[list[str]]) -> None:
    opened = 0
    for number, segment in enumerate(segments, start=1):
        if segment[0] == "ST":
            opened = number
        if segment[0] == "SE" and segment[1] != str(number - opened + 1):
            raise UnreadableClaimFile(f"segment {number} counts other segments than there are")
    if segments[-1][0] != "IEA":
        raise UnreadableClaimFile("the file ends before its IEA")


def _take(segment: list[str], level: _Level, claims: list[Claim], file: str) -> None:
    if level.claim and segment[0] in ("CLM", "HL", "SE"):
        claims.append(_claim(level, file))
        level.claim = {}
    padded = segment + [""] * 12
    match padded:
        case ["NM1", "85", _, name, *rest]:
            level.provider = {"provider": name, "npi": rest[5]}
        case ["REF", "EI", number, *_]:
            level.provider["tax_id"] = number
        case ["SBR", *rest]:
            level.member = {"filing": rest[8]}
        case ["NM1", "IL", _, family, given, *rest]:
            level.member |= {"family": family, "given": given, "member_id": rest[4]}
        case ["CLM", claim_id, charge, _, _, place, *_]:
            level.claim = {"claim_id": claim_id, "charge": charge, "frequency": place[-1:]}
            level.lines = []
        case ["REF", ("G1" | "F8") as kind, number, *_] if level.claim:
            level.claim["authorization" if kind == "G1" else "original"] = number
        case ["SV1", procedure, charge, _, units, *_]:
            code = procedure.split(":")[1]
            level.lines.append({"procedure": procedure, "code": code, "charge": charge, "units": units})
        case ["DTP", "472", _, day, *_] if level.lines:
            level.lines[-1]["day"] = day[:8]
        case ["REF", "6R", number, *_] if level.lines:
            level.lines[-1]["control"] = number


def _claim(level: _Level, file: str) -> Claim:
    claim, member, provider = level.claim, level.member, level.provider
    return Claim(
        claim_id=claim["claim_id"],
        charge=Decimal(claim["charge"]),
        frequency=claim["frequency"],
        original=claim.get("original", ""),
        authorization=claim.get("authorization", ""),
        family=member["family"],
        given=member["given"],
        member_id=member["member_id"],
        filing=member["filing"],
        provider=provider["provider"],
        npi=provider["npi"],
        tax_id=provider["tax_id"],
        file=file,
        lines=tuple(map(_line, level.lines)),
    )


def _line(line: dict[str, str]) -> Line:
    return Line(
        procedure=line["procedure"],
        code=line["code"],
        charge=Decimal(line["charge"]),
        units=line["units"],
        day=line["day"],
        control=line.get("control", ""),
    )
