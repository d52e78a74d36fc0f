"""Professional claims as opened values at the door: each is checked before it may stand in an 837P.

Names, dates of birth, addresses and member ids are in the clear here; nothing in this module logs or
stores them, and refusals name fields, never values.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from caretrail_contracts.codes import is_npi

from services.billing.adapters.x12.money import CENT, ZERO
from services.billing.adapters.x12.writer import is_writable

CLAIM_ID_MAX = 20  # CLM01 under HIPAA (005010X222A1, CLM01 note)
LINES_MAX = 50  # loop 2400 repeats 50 times in 005010X222A1
DIAGNOSES_MAX = 12  # HI01 to HI12
POINTERS_MAX = 4  # SV107
MODIFIERS_MAX = 4  # SV101-3 to SV101-6
ORIGINAL, REPLACEMENT, VOID = "1", "7", "8"  # CLM05-3
_PATTERNS = {
    "a claim id of 1 to 20 characters": re.compile(rf"\S(.{{0,{CLAIM_ID_MAX - 2}}}\S)?"),
    "a federal tax id of nine digits": re.compile(r"[0-9]{9}"),
    "a taxonomy code of ten characters": re.compile(r"[0-9A-Z]{9}X"),
    "a ZIP code of 5 or 9 digits": re.compile(r"[0-9]{5}([0-9]{4})?"),
    "a state of two letters": re.compile(r"[A-Z]{2}"),
    "an ICD-10-CM code": re.compile(r"[A-TV-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?"),
    "a HCPCS code of five characters": re.compile(r"[0-9A-Z]{5}"),
    "a modifier of two characters": re.compile(r"[0-9A-Z]{2}"),
    "a place of service of two digits": re.compile(r"[0-9]{2}"),
    "a telephone number of ten digits": re.compile(r"[0-9]{10}"),
    "a control number of 4 to 9 characters": re.compile(r"[0-9A-Za-z]{4,9}"),
}


class ClaimValueError(ValueError):
    """A value cannot stand in a claim: `field` is its place, such as `claims/0/lines/2/charge`."""

    def __init__(self, field: str, expected: str) -> None:
        self.field = field
        self.expected = expected
        super().__init__(f"{field}: cannot be written into a claim; expected {expected}")


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address in the United States."""

    line: str
    city: str
    state: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sends the file (loop 1000A), and whom to call."""

    name: str
    id: str
    contact: str
    telephone: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets the file (loop 1000B)."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class BillingProvider:
    """The organization that is paid (loop 2010AA)."""

    name: str
    npi: str
    tax_id: str
    taxonomy: str
    address: Address


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The member, who is the patient too (loop 2010BA); gender is F, M or U."""

    family: str
    given: str
    member_id: str
    birth_date: date
    gender: str
    address: Address
    group_number: str = ""


@dataclass(frozen=True, slots=True)
class Payer:
    """Loop 2010BB; `filing_indicator` is SBR09, such as CI commercial, MC Medicaid."""

    name: str
    id: str
    filing_indicator: str = "CI"


@dataclass(frozen=True, slots=True)
class RenderingProvider:
    """The person who rendered the service, when not the billing provider (loop 2310B)."""

    family: str
    given: str
    npi: str
    taxonomy: str = ""


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """Loop 2400; unit is UN (units) or MJ (minutes); pointers count diagnoses from 1; control is REF*6R."""

    code: str
    charge: Decimal
    units: int
    service_date: date
    pointers: tuple[int, ...] = (1,)
    modifiers: tuple[str, ...] = ()
    unit: str = "UN"
    control: str = ""


@dataclass(frozen=True, slots=True)
class ProfessionalClaim:
    """Loop 2300. `original_reference` is the payer's own claim number, needed when frequency is 7 or 8."""

    claim_id: str
    amount: Decimal
    place_of_service: str
    subscriber: Subscriber
    payer: Payer
    diagnoses: tuple[str, ...]
    lines: tuple[ServiceLine, ...]
    frequency: str = ORIGINAL
    prior_authorization: str = ""
    original_reference: str = ""
    rendering: RenderingProvider | None = None


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """One interchange with one 837P; raises ClaimValueError for the first value that cannot be written."""

    interchange_control: int
    group_control: int
    transaction_control: str
    created_at: datetime
    submitter: Submitter
    receiver: Receiver
    billing: BillingProvider
    claims: tuple[ProfessionalClaim, ...]
    usage: str = "P"

    def __post_init__(self) -> None:
        for name in ("interchange_control", "group_control"):
            _require(0 < getattr(self, name) < 10**9, name, "a number from 1 to 999999999")
        _pattern(self.transaction_control, "transaction_control", "a control number of 4 to 9 characters")
        _require(self.usage in ("P", "T"), "usage", "P (production) or T (test)")
        _check_submitter(self.submitter)
        _text(self.receiver.name, "receiver/name", 60)
        _text(self.receiver.id, "receiver/id", 15)
        _check_billing(self.billing)
        _require(bool(self.claims), "claims", "at least one claim")
        for index, claim in enumerate(self.claims):
            _check_claim(claim, f"claims/{index}")


def _check_submitter(submitter: Submitter) -> None:
    _text(submitter.name, "submitter/name", 60)
    _text(submitter.id, "submitter/id", 15)
    _text(submitter.contact, "submitter/contact", 60)
    _pattern(submitter.telephone, "submitter/telephone", "a telephone number of ten digits")


def _check_billing(billing: BillingProvider) -> None:
    _text(billing.name, "billing/name", 60)
    _require(is_npi(billing.npi), "billing/npi", "an NPI with its check digit")
    _pattern(billing.tax_id, "billing/tax_id", "a federal tax id of nine digits")
    _pattern(billing.taxonomy, "billing/taxonomy", "a taxonomy code of ten characters")
    _check_address(billing.address, "billing/address")


def _check_claim(claim: ProfessionalClaim, at: str) -> None:
    _text(claim.claim_id, f"{at}/claim_id", CLAIM_ID_MAX)
    _pattern(claim.claim_id, f"{at}/claim_id", "a claim id of 1 to 20 characters")
    _pattern(claim.place_of_service, f"{at}/place_of_service", "a place of service of two digits")
    _require(claim.frequency in (ORIGINAL, REPLACEMENT, VOID), f"{at}/frequency", "1, 7 or 8")
    _text(claim.prior_authorization, f"{at}/prior_authorization", 50, required=False)
    again = claim.frequency != ORIGINAL
    _text(claim.original_reference, f"{at}/original_reference", 50, required=again)
    _check_subscriber(claim.subscriber, f"{at}/subscriber")
    _text(claim.payer.name, f"{at}/payer/name", 60)
    _text(claim.payer.id, f"{at}/payer/id", 80)
    _text(claim.payer.filing_indicator, f"{at}/payer/filing_indicator", 2)
    _require(0 < len(claim.diagnoses) <= DIAGNOSES_MAX, f"{at}/diagnoses", "1 to 12 diagnoses")
    for index, code in enumerate(claim.diagnoses):
        _pattern(code, f"{at}/diagnoses/{index}", "an ICD-10-CM code")
    if claim.rendering:
        _check_rendering(claim.rendering, f"{at}/rendering")
    _require(0 < len(claim.lines) <= LINES_MAX, f"{at}/lines", "1 to 50 lines")
    for index, line in enumerate(claim.lines):
        _check_line(line, f"{at}/lines/{index}", len(claim.diagnoses))
    _money(claim.amount, f"{at}/amount")
    total = sum((line.charge for line in claim.lines), ZERO)
    _require(claim.amount == total, f"{at}/amount", "the sum of the lines' charges")


def _check_subscriber(subscriber: Subscriber, at: str) -> None:
    _text(subscriber.family, f"{at}/family", 60)
    _text(subscriber.given, f"{at}/given", 35)
    _text(subscriber.member_id, f"{at}/member_id", 80)
    _text(subscriber.group_number, f"{at}/group_number", 50, required=False)
    _require(subscriber.gender in ("F", "M", "U"), f"{at}/gender", "F, M or U")
    _check_address(subscriber.address, f"{at}/address")


def _check_rendering(rendering: RenderingProvider, at: str) -> None:
    _text(rendering.family, f"{at}/family", 60)
    _text(rendering.given, f"{at}/given", 35)
    _require(is_npi(rendering.npi), f"{at}/npi", "an NPI with its check digit")
    if rendering.taxonomy:
        _pattern(rendering.taxonomy, f"{at}/taxonomy", "a taxonomy code of ten characters")


def _check_line(line: ServiceLine, at: str, diagnoses: int) -> None:
    _pattern(line.code, f"{at}/code", "a HCPCS code of five characters")
    _require(len(line.modifiers) <= MODIFIERS_MAX, f"{at}/modifiers", "at most 4 modifiers")
    for index, modifier in enumerate(line.modifiers):
        _pattern(modifier, f"{at}/modifiers/{index}", "a modifier of two characters")
    _money(line.charge, f"{at}/charge")
    _require(line.unit in ("UN", "MJ"), f"{at}/unit", "UN or MJ")
    _require(0 < line.units < 10**4, f"{at}/units", "1 to 9999 units")
    pointers = line.pointers
    valid = 0 < len(pointers) <= POINTERS_MAX and all(0 < one <= diagnoses for one in pointers)
    _require(valid, f"{at}/pointers", "1 to 4 numbers of diagnoses of the claim")
    _text(line.control, f"{at}/control", 30, required=False)


def _check_address(address: Address, at: str) -> None:
    _text(address.line, f"{at}/line", 55)
    _text(address.city, f"{at}/city", 30)
    _pattern(address.state, f"{at}/state", "a state of two letters")
    _pattern(address.postal_code, f"{at}/postal_code", "a ZIP code of 5 or 9 digits")


def _text(value: str, at: str, longest: int, *, required: bool = True) -> None:
    expected = f"{'1' if required else '0'} to {longest} printable ASCII characters without * : ^ ~"
    fits = (bool(value) or not required) and len(value) <= longest
    _require(fits and is_writable(value) and value == value.strip(), at, expected)


def _pattern(value: str, at: str, expected: str) -> None:
    _require(_PATTERNS[expected].fullmatch(value) is not None, at, expected)


def _money(amount: Decimal, at: str) -> None:
    fits = amount.is_finite() and ZERO <= amount < 10**8 and amount == amount.quantize(CENT)
    _require(fits, at, "cents from 0.00 to 99999999.99")


def _require(condition: bool, at: str, expected: str) -> None:
    if not condition:
        raise ClaimValueError(at, expected)
