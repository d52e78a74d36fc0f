"""Writes a ClaimFile as an 837P (005010X222A1); every claim stands under a subscriber level of its own."""

from services.billing.adapters.x12.claim import (
    Address,
    BillingProvider,
    ClaimFile,
    ProfessionalClaim,
    RenderingProvider,
    ServiceLine,
    Subscriber,
)
from services.billing.adapters.x12.money import x12_amount
from services.billing.adapters.x12.writer import Body, Envelope, Row, write_interchange

IMPLEMENTATION = "005010X222A1"


def write_claims(file: ClaimFile) -> bytes:
    """The interchange in ASCII, a segment a line. Times are written as given (the submitter's own)."""
    envelope = Envelope(
        sender=file.submitter.id,
        receiver=file.receiver.id,
        interchange_control=file.interchange_control,
        group_control=file.group_control,
        functional_id="HC",
        version=IMPLEMENTATION,
        created_at=file.created_at,
        usage=file.usage,
    )
    body = Body("837", file.transaction_control, _rows(file), IMPLEMENTATION)
    return write_interchange(envelope, [body]).encode("ascii")


def _rows(file: ClaimFile) -> list[Row]:
    rows = [*_header(file), *_billing(file.billing)]
    for level, claim in enumerate(file.claims, start=2):
        rows += [*_subscriber(level, claim), *_claim(claim)]
        for number, line in enumerate(claim.lines, start=1):
            rows += _line(number, line)
    return rows


def _header(file: ClaimFile) -> list[Row]:
    reference = f"{file.interchange_control:09d}"
    created = (f"{file.created_at:%Y%m%d}", f"{file.created_at:%H%M}")
    submitter = file.submitter
    return [
        ("BHT", "0019", "00", reference, *created, "CH"),
        ("NM1", "41", "2", submitter.name, "", "", "", "", "46", submitter.id),
        ("PER", "IC", submitter.contact, "TE", submitter.telephone),
        ("NM1", "40", "2", file.receiver.name, "", "", "", "", "46", file.receiver.id),
    ]


def _billing(billing: BillingProvider) -> list[Row]:
    return [
        ("HL", "1", "", "20", "1"),
        ("PRV", "BI", "PXC", billing.taxonomy),
        ("NM1", "85", "2", billing.name, "", "", "", "", "XX", billing.npi),
        *_address(billing.address),
        ("REF", "EI", billing.tax_id),
    ]


def _subscriber(level: int, claim: ProfessionalClaim) -> list[Row]:
    member: Subscriber = claim.subscriber
    filing = claim.payer.filing_indicator
    return [
        ("HL", str(level), "1", "22", "0"),
        ("SBR", "P", "18", member.group_number, "", "", "", "", "", filing),
        ("NM1", "IL", "1", member.family, member.given, "", "", "", "MI", member.member_id),
        *_address(member.address),
        ("DMG", "D8", f"{member.birth_date:%Y%m%d}", member.gender),
        ("NM1", "PR", "2", claim.payer.name, "", "", "", "", "PI", claim.payer.id),
    ]


def _claim(claim: ProfessionalClaim) -> list[Row]:
    place = (claim.place_of_service, "B", claim.frequency)
    rows: list[Row] = [
        ("CLM", claim.claim_id, x12_amount(claim.amount), "", "", place, "Y", "A", "Y", "Y"),
    ]
    if claim.prior_authorization:
        rows.append(("REF", "G1", claim.prior_authorization))
    if claim.original_reference:
        rows.append(("REF", "F8", claim.original_reference))
    principal, *others = (code.replace(".", "") for code in claim.diagnoses)
    rows.append(("HI", ("ABK", principal), *(("ABF", code) for code in others)))
    if claim.rendering:
        rows += _rendering(claim.rendering)
    return rows


def _rendering(rendering: RenderingProvider) -> list[Row]:
    rows: list[Row] = [
        ("NM1", "82", "1", rendering.family, rendering.given, "", "", "", "XX", rendering.npi),
    ]
    if rendering.taxonomy:
        rows.append(("PRV", "PE", "PXC", rendering.taxonomy))
    return rows


def _line(number: int, line: ServiceLine) -> list[Row]:
    pointers = tuple(map(str, line.pointers))
    service = ("HC", line.code, *line.modifiers)
    amount, units = x12_amount(line.charge), str(line.units)
    rows: list[Row] = [
        ("LX", str(number)),
        ("SV1", service, amount, line.unit, units, "", "", pointers),
        ("DTP", "472", "D8", f"{line.service_date:%Y%m%d}"),
    ]
    if line.control:
        rows.append(("REF", "6R", line.control))
    return rows


def _address(address: Address) -> list[Row]:
    return [("N3", address.line), ("N4", address.city, address.state, address.postal_code)]
