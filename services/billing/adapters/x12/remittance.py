"""What an 835 says, as frozen values: amounts are Decimal cents, names of patients are left in the file."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.billing.adapters.x12.errors import Warning


@dataclass(frozen=True, slots=True)
class Party:
    """Payer (N1*PR) or payee (N1*PE): name, and the id of N104 with its qualifier."""

    name: str
    qualifier: str
    id: str


@dataclass(frozen=True, slots=True)
class RemittedAdjustment:
    """One triplet of a CAS: group and reason as they stand, the amount taken off the charge."""

    group: str
    reason: str
    amount: Decimal
    segment: int


@dataclass(frozen=True, slots=True)
class ProviderAdjustment:
    """One pair of a PLB; a positive amount reduces the payment."""

    reason: str
    reference: str
    amount: Decimal
    segment: int


@dataclass(frozen=True, slots=True)
class RemittedLine:
    """A service line: `code` is SVC01 as it stands, `procedure` the code in it, None when unreadable."""

    code: str
    procedure: str | None
    modifiers: tuple[str, ...]
    charge: Decimal
    paid: Decimal
    units: str
    submitted_code: str
    service_date: date | None
    service_end: date | None
    control: str
    adjustments: tuple[RemittedAdjustment, ...]
    remarks: tuple[str, ...]
    segment: int


@dataclass(frozen=True, slots=True)
class RemittedClaim:
    """A CLP: `adjustments` are those of claim level that count; `repeated` ones only repeat the lines'."""

    claim: str
    status: str
    charge: Decimal
    paid: Decimal
    patient_responsibility: Decimal | None
    payer_claim_number: str
    filing_indicator: str
    frequency: str
    period_start: date | None
    period_end: date | None
    lines: tuple[RemittedLine, ...]
    adjustments: tuple[RemittedAdjustment, ...]
    repeated: tuple[RemittedAdjustment, ...]
    remarks: tuple[str, ...]
    segment: int

    @property
    def every_adjustment(self) -> tuple[RemittedAdjustment, ...]:
        """Claim and line level together, in the order of the file."""
        return (*self.repeated, *self.counted_adjustments)

    @property
    def counted_adjustments(self) -> tuple[RemittedAdjustment, ...]:
        """Likewise, without those that only repeat others."""
        return (*self.adjustments, *(adjustment for line in self.lines for adjustment in line.adjustments))


@dataclass(frozen=True, slots=True)
class RemittanceAdvice:
    """One transaction set: `total` is BPR02, `handling` BPR01, `method` BPR04; segments are its ST and SE.

    `content` is the digest of what it says, `trace_segment` its TRN.
    """

    trace: str
    trace_segment: int
    content: str
    originator: str
    payer: Party | None
    payee: Party | None
    handling: str
    method: str
    total: Decimal
    payment_date: date | None
    control: str
    claims: tuple[RemittedClaim, ...]
    provider_adjustments: tuple[ProviderAdjustment, ...]
    first_segment: int
    last_segment: int


@dataclass(frozen=True, slots=True)
class RemittanceFile:
    """Every advice of a file, and what was odd in it."""

    advices: tuple[RemittanceAdvice, ...]
    warnings: tuple[Warning, ...]
