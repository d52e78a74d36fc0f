"""Posting remittances: a file in one transaction, claim by claim, to the cent, or not at all."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from caretrail_contracts.adjustments import Adjustment, AdjustmentGroup, ProviderAdjustment
from caretrail_contracts.billing import (
    ClaimDenied,
    ClaimNeedsReview,
    ClaimPaid,
    ClaimReversed,
    RemittanceClaimParked,
    RemittanceReceived,
    Remitted,
)
from caretrail_contracts.codes import Code, Hcpcs, Money
from caretrail_contracts.sealed import Document, RecordNumber, Sealed
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.command import Command, Work
from chassis.ids import derive
from services.billing.commands.claims import CLAIM_NUMBERS
from services.billing.commands.registry import handlers
from services.billing.domain.adjudication import ClaimVerdict
from services.billing.domain.claim import Claim
from services.billing.domain.refusals import TraceReused
from services.billing.domain.remittance import Remittance, remittance_id

TRACES = "remittance-trace"
"""Scope of reservations: a payer's trace number is of one file, whatever stands beside it there."""

REMITTANCES_MAX = 1_000
"""Payments in one file, which is posted in one transaction."""

PREDETERMINATION = "25"
"""CLP02 of a claim that was priced and not paid: nothing of it may be posted."""


class Given(BaseModel):
    """A part of what a payer's file says."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DeniedLine(Given):
    """A denied service line: by our control number (REF*6R) where it is there, else by code and date."""

    control: str
    code: Hcpcs | None
    service_date: date | None
    charge: Money


class RemittedClaimIn(Given):
    """A claim of a remittance, judged; `readable` is false where its adjustments fit no known form."""

    number: str
    status: Code
    charge: Money
    paid: Money
    patient_responsibility: Money
    verdict: ClaimVerdict
    adjustments: tuple[Adjustment, ...]
    readable: bool
    denied_lines: tuple[DeniedLine, ...]
    group: AdjustmentGroup | None
    carc: tuple[Code, ...]
    rarc: tuple[Code, ...]
    unknown: tuple[Code, ...]
    payer_claim_number: Sealed[RecordNumber] | None
    document: Sealed[Document]


class RemittanceIn(Given):
    """A transaction set: digests of payer and trace number and of what it says; its TRN's segment."""

    origin: str
    content: str
    segment: int
    payer: Code
    trace: Annotated[str, StringConstraints(max_length=50)]
    total: Money
    paid_on: date | None
    provider_adjustments: tuple[ProviderAdjustment, ...]
    claims: tuple[RemittedClaimIn, ...]


class PostRemittances(Command):
    """Post every transaction set of a file that was read and balances."""

    file_digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    remittances: tuple[RemittanceIn, ...] = Field(max_length=REMITTANCES_MAX)


@handlers.handles(PostRemittances)
async def post_remittances(command: PostRemittances, work: Work) -> None:
    """A set that was posted before, in whichever file, changes nothing. Raises TraceReused.

    Who holds a trace is asked first: then what holds it is seen, though it comes at this very moment.
    """
    origins = {given.origin for given in command.remittances}
    held = {origin for origin in sorted(origins) if await work.owner(TRACES, origin) is not None}
    new = [given for given in command.remittances if not await _is_posted(given, work)]
    for given in new:
        if given.origin in held:
            raise TraceReused(segment=given.segment)
    for given in new:
        await _post_remittance(given, command.file_digest, work)
    for origin in dict.fromkeys(given.origin for given in new):
        contents = (given.content for given in new if given.origin == origin)
        work.reserve(TRACES, origin, derive("remittance-trace", origin, *contents))


async def _is_posted(given: RemittanceIn, work: Work) -> bool:
    return await work.find(Remittance, remittance_id(given.origin, given.content)) is not None


async def _post_remittance(given: RemittanceIn, file_digest: str, work: Work) -> None:
    id = remittance_id(given.origin, given.content)
    received = RemittanceReceived(
        remittance=id,
        payer=given.payer,
        trace=given.trace,
        total=given.total,
        claims=len(given.claims),
        file_digest=file_digest,
        provider_adjustments=given.provider_adjustments,
        paid_on=given.paid_on,
    )
    remittance = work.add(Remittance.receive(received, work.now))
    posted = 0
    for index, one in enumerate(given.claims):
        claim = await _ours(one.number, work)
        rule = _misfit(one, claim)
        if claim is None or rule:
            remittance.park(_parked(id, index, one, rule or "ClaimUnknown"), work.now)
        else:
            claim.post(_decision(claim, id, given, one), work.now)
            posted += 1
    remittance.posted(posted, work.now)


async def _ours(number: str, work: Work) -> Claim | None:
    id = await work.owner(CLAIM_NUMBERS, number)
    return await work.load(Claim, id) if id else None


def _misfit(one: RemittedClaimIn, claim: Claim | None) -> str | None:
    """Why a claim goes to a person instead of being posted."""
    if claim is None:
        return "ClaimUnknown"
    if not one.readable:
        return "AdjustmentUnknown"
    if one.status == PREDETERMINATION:
        return "NotAPayment"
    return claim.misfit(one.charge, one.paid, reversal=one.verdict is ClaimVerdict.REVERSAL)


def _parked(id: UUID, index: int, one: RemittedClaimIn, rule: str) -> RemittanceClaimParked:
    return RemittanceClaimParked(
        remittance=id,
        index=index,
        status=one.status,
        charge=one.charge,
        paid=one.paid,
        document=one.document,
        rule=rule,
    )


def _decision(claim: Claim, id: UUID, given: RemittanceIn, one: RemittedClaimIn) -> Remitted:
    assert claim.patient is not None, "a claim begins with its patient"
    facts: dict[str, Any] = {
        "claim": claim.id,
        "number": claim.number,
        "patient": claim.patient,
        "remittance": id,
        "status": one.status,
        "charge": one.charge,
        "paid": one.paid,
        "patient_responsibility": one.patient_responsibility,
        "adjustments": one.adjustments,
        "payer_claim_number": one.payer_claim_number,
        "notice_on": given.paid_on,
    }
    match one.verdict:
        case ClaimVerdict.REVERSAL:
            return ClaimReversed(**facts)
        case ClaimVerdict.REVIEW:
            return ClaimNeedsReview(**facts, carc=one.unknown)
        case ClaimVerdict.PAID:
            return ClaimPaid(**facts)
    return _denial(claim, one, facts)


def _denial(claim: Claim, one: RemittedClaimIn, facts: dict[str, Any]) -> ClaimDenied:
    whole = one.verdict is ClaimVerdict.DENIED
    lines = tuple(dict.fromkeys(charge for line in one.denied_lines for charge in _charges(claim, line)))
    amount = one.charge if whole else sum((line.charge for line in one.denied_lines), start=one.charge * 0)
    return ClaimDenied(
        **facts,
        group=one.group,
        carc=one.carc,
        rarc=one.rarc,
        denied_amount=amount,
        whole=whole,
        denied_lines=tuple(line.charge for line in claim.lines) if whole else lines,
    )


def _charges(claim: Claim, line: DeniedLine) -> list[UUID]:
    """Our charges that a line is about: one by its control number, else those of its code and date."""
    for index, ours in enumerate(claim.lines, 1):
        if line.control == line_control(index):
            return [ours.charge]
    wanted = (line.code, line.service_date)
    return [ours.charge for ours in claim.lines if (ours.code, ours.service_date) == wanted]


def line_control(index: int) -> str:
    """What we name a claim's line by (REF*6R); index counts from 1."""
    return f"L{index}"
