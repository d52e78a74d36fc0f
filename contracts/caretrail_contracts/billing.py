"""Billing's events: coverage, authorizations, charges, claims, remittances, denials, appeals."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from .adjustments import Adjustment, AdjustmentGroup, ProviderAdjustment
from .codes import Code, Hcpcs, Icd10, Label, Minutes, Money, Npi, Units
from .event import Event, Instant, Value
from .sealed import Document, MemberId, RecordNumber, Sealed

ClaimNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}$")]
"""Our number of a claim (X12 CLM01, at most 20 characters)."""


class ClaimLine(Value):
    """One day's service on a claim."""

    charge: UUID
    service_date: date
    code: Hcpcs
    units: Units
    amount: Money


class ContractAgreed(Event, service="billing"):
    """How a payer pays, from a day on; the same payer's later terms replace earlier ones from theirs on."""

    payer: Code
    contract: Code
    payer_name: Label
    payer_id: Code
    filing_indicator: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,2}$")]
    effective_on: date
    code: Hcpcs
    amount: Money
    min_minutes: Minutes
    discrete_code: Hcpcs | None
    discrete_amount: Money | None
    group_size_max: Annotated[int, Field(ge=1, le=100)]
    place_of_service: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
    requires_auth: bool
    auth_units: Units
    auth_days: Annotated[int, Field(ge=1, le=366)]
    low_units: Units
    review_lead_days: Annotated[int, Field(ge=0, le=60)]
    timely_filing_days: Annotated[int, Field(ge=1, le=1100)]
    appeal_regime: Code
    dispute_days: Annotated[int, Field(ge=1, le=1100)] | None
    appeal_levels: Annotated[int, Field(ge=1, le=5)]


class CoverageRegistered(Event, service="billing"):
    """The payer that an episode is billed to."""

    patient: UUID
    episode: UUID
    payer: Code
    member_id: Sealed[MemberId] | None


class AuthorizationRequested(Event, service="billing"):
    """A payer was asked to certify services (X12 278)."""

    authorization: UUID
    patient: UUID
    episode: UUID
    payer: Code
    code: Hcpcs
    units: Units
    starts_on: date
    ends_on: date
    review: Code
    member_id: Sealed[MemberId] | None = None


class AuthorizationPended(Event, service="billing"):
    """A payer has not decided yet (A4)."""


class AuthorizationApproved(Event, service="billing"):
    """A payer certified services, in whole (A1), in part (A2) or modified (A6)."""

    action: Code
    number: Annotated[str, StringConstraints(max_length=50)]
    units: Units
    starts_on: date
    ends_on: date


class AuthorizationDenied(Event, service="billing"):
    """A payer did not certify (A3): charges are held and staff must act."""

    reason: Code


class AuthorizationUnitConsumed(Event, service="billing"):
    """A billed day burned units."""

    charge: UUID
    units: Units
    remaining: int


class AuthorizationUnitReleased(Event, service="billing"):
    """A charge was voided: its units can be used again."""

    charge: UUID
    units: Units
    remaining: int


class AuthorizationRunningLow(Event, service="billing"):
    """Few units are left: a concurrent review is due."""

    remaining: int
    review_due: date


class AuthorizationExhausted(Event, service="billing"):
    """No unit is left."""


class ChargeDayOpened(Event, service="billing"):
    """A patient's day of service came to billing's notice."""

    charge: UUID
    patient: UUID
    episode: UUID
    service_date: date


class AttendanceCounted(Event, service="billing"):
    """An attendance counts toward a day of service; the same session again replaces it."""

    session: UUID
    started_at: Annotated[str, StringConstraints(max_length=40)]
    ended_at: Annotated[str, StringConstraints(max_length=40)]
    minutes: Minutes
    source_event: UUID


class NoteCounted(Event, service="billing"):
    """A session's signed note is there, or was withdrawn."""

    session: UUID
    signed: bool
    clinician: Npi | None
    source_event: UUID


class ChargeHeld(Event, service="billing"):
    """A day of service cannot be charged; the rule says why and who must act."""

    rule: Code
    minutes: Minutes


class ChargeCaptured(Event, service="billing"):
    """A day of service became a charge."""

    charge: UUID
    patient: UUID
    episode: UUID
    payer: Code
    service_date: date
    code: Hcpcs
    units: Units
    minutes: Minutes
    amount: Money
    diagnoses: tuple[Icd10, ...]
    rendering: Npi
    authorization: UUID | None
    authorization_number: str | None
    contract: Code


class ChargeClaimed(Event, service="billing"):
    """A charge was put on a claim."""

    claim: UUID
    number: ClaimNumber


class ChargeVoided(Event, service="billing"):
    """A charge no longer stands, or the day has nothing to charge; named is the claim that carries it."""

    reason: Code
    claim: UUID | None = None


class ClaimCreated(Event, service="billing"):
    """Charges of one patient and payer were put on a claim."""

    claim: UUID
    number: ClaimNumber
    patient: UUID
    episode: UUID
    payer: Code
    lines: tuple[ClaimLine, ...]
    amount: Money
    diagnoses: tuple[Icd10, ...]
    rendering: Npi
    authorization_number: str | None
    frequency: Annotated[str, StringConstraints(pattern=r"^[178]$")] = "1"


class ClaimCorrectionDue(Event, service="billing"):
    """What a submitted claim says changed: staff must replace or void it (CLM05-3: frequency 7, 8)."""

    claim: UUID
    number: ClaimNumber
    patient: UUID
    charge: UUID
    reason: Code


class ClaimsCutOff(Event, service="billing"):
    """A payer's charges were put on claims; the next cut-off is set."""

    payer: Code
    claims: Annotated[int, Field(ge=0)]
    batch: UUID | None
    next_at: Instant


class InterchangeNumbered(Event, service="billing"):
    """A control number was drawn (X12 ISA13, GS06)."""

    interchange: Annotated[int, Field(ge=1, le=999_999_999)]
    batch: UUID


class ClaimBatchCut(Event, service="billing"):
    """Claims that go to a payer together, in the order of the interchange."""

    batch: UUID
    payer: Code
    interchange: Annotated[int, Field(ge=1, le=999_999_999)]
    claims: tuple[UUID, ...]


class ExchangeFailed(Event, service="billing"):
    """A file could not be written, or its receiver could not read it: staff must act.

    ``about`` is the claim, batch, authorization or appeal, or the stream (``refused-…``) that keeps a file
    which could not be read; ``at`` names the field or place, never a value.
    """

    kind: Code
    about: UUID
    patient: UUID | None
    rule: Code
    at: Label | None = None


class ClaimSubmitted(Event, service="billing"):
    """A claim went to its payer in an interchange."""

    claim: UUID
    number: ClaimNumber
    batch: UUID
    interchange: Annotated[int, Field(ge=1, le=999_999_999)]


class Remitted(Event):
    """What a remittance says of one of our claims."""

    claim: UUID
    number: ClaimNumber
    patient: UUID
    remittance: UUID
    status: Code
    charge: Money
    paid: Money
    patient_responsibility: Money
    adjustments: tuple[Adjustment, ...]
    payer_claim_number: Sealed[RecordNumber] | None = None
    notice_on: date | None = None


class ClaimPaid(Remitted, service="billing"):
    """A claim was adjudicated and no line of it was denied."""


class ClaimDenied(Remitted, service="billing"):
    """A claim was denied, wholly or in the lines named."""

    group: AdjustmentGroup | None
    carc: tuple[Code, ...]
    rarc: tuple[Code, ...]
    denied_amount: Money
    whole: bool
    denied_lines: tuple[UUID, ...]


class ClaimReversed(Remitted, service="billing"):
    """A payer took back an earlier decision (CLP02 22); amounts are negative."""


class ClaimNeedsReview(Remitted, service="billing"):
    """A remittance gives a reason that the table does not know: a person must judge it."""

    carc: tuple[Code, ...]


class RemittanceReceived(Event, service="billing"):
    """A payer's remittance was read and balances to the cent."""

    remittance: UUID
    payer: Code
    trace: Annotated[str, StringConstraints(max_length=50)]
    total: Money
    claims: Annotated[int, Field(ge=0)]
    file_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    provider_adjustments: tuple[ProviderAdjustment, ...] = ()
    paid_on: date | None = None


class RemittancePosted(Event, service="billing"):
    """Every claim of a remittance was posted or parked."""

    posted: int
    parked: int


class RemittanceClaimParked(Event, service="billing"):
    """A remitted claim that is none of ours, or not as it stands here: for a person. Never posted."""

    remittance: UUID
    index: int
    status: Code
    charge: Money
    paid: Money
    document: Sealed[Document]
    rule: Code = "ClaimUnknown"


class DenialOpened(Event, service="billing"):
    """A denial must be worked before its appeal deadline."""

    denial: UUID
    claim: UUID
    patient: UUID
    denial_class: Code
    carc: tuple[Code, ...]
    amount: Money
    paid: Money
    regime: Code
    appeal_deadline: date
    work_by: date


class AppealFiled(Event, service="billing"):
    """A denial was appealed."""

    appeal: UUID
    denial: UUID
    claim: UUID
    number: ClaimNumber
    level: Annotated[int, Field(ge=1, le=5)]
    grounds: Code
    filed_on: date


class AppealDecided(Event, service="billing"):
    """A payer decided an appeal."""

    appeal: UUID
    level: Annotated[int, Field(ge=1, le=5)]
    outcome: Code
    recovered: Money
    decided_on: date


class DenialClosed(Event, service="billing"):
    """Nothing more is to be done about a denial."""

    outcome: Code
