"""Claims, their balances and age, and the batches that carry them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from caretrail_contracts.billing import ClaimLine, ClaimNumber
from caretrail_contracts.codes import Code, Money
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from chassis.refusal import NotFound
from services.billing.commands.claims import CutClaims, SubmitAgain
from services.billing.domain.claim import ClaimStatus
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page

router = APIRouter()


class CutoffIn(BaseModel):
    """Whose charges to put on claims now."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"payer": "acme-health"}]})

    payer: Code


class ClaimOut(BaseModel):
    """A claim to the cent: charge - paid - adjustments = patient_responsibility + balance.

    ``adjustments`` are those of every group but PR; ``denied`` is the part of them, or of the patient's
    share, that waits in a denial.
    """

    claim: UUID
    number: str
    patient: UUID
    episode: UUID
    payer: str
    status: ClaimStatus
    charge: Money
    paid: Money
    adjustments: Money
    patient_responsibility: Money
    denied: Money
    balance: Money
    lines: list[ClaimLine]
    diagnoses: list[str]
    authorization_number: str | None
    first_service_on: date
    interchange: int | None
    submitted_at: datetime | None
    decided_at: datetime | None
    correction_due: bool
    position: int


class AgeBand(BaseModel):
    """Claims that nobody decided on yet, by days since their first day of service."""

    days: str
    claims: int
    balance: Money


class BatchOut(BaseModel):
    """Claims that went to a payer together."""

    batch: UUID
    payer: str
    interchange: int
    claims: list[UUID]
    position: int


class FailureOut(BaseModel):
    """What failed between us and a payer: a file that could not be written, or that one could not read.

    ``about`` is the claim, batch, authorization or appeal; of a file of the payer's, the refusal on record.
    """

    kind: str
    about: UUID
    patient: UUID | None
    rule: str
    place: str | None
    failed_at: datetime
    position: int


_STATUS = b"case when status = 'created' and submitted_at is not null then 'submitted' else status end"
_SHOWN = (
    b"""
select c.*, coalesce(c.correction_due, false) as correction_due,
    c.charge - c.paid - c.adjustments - c.patient_responsibility as balance,
    """
    + _STATUS
    + b""" as status
from claims c
"""
)
CLAIMS = (
    _SHOWN
    + b"""
where position > %s and (%s::text is null or payer = %s)
    and (%s::text is null or """
    + _STATUS
    + b""" = %s)
    and (%s::uuid is null or patient = %s)
order by position limit %s
"""
)
CLAIM = _SHOWN + b"where number = %s"
AGING = b"""
select band.days, count(c.claim) as claims,
    coalesce(sum(charge - paid - adjustments - patient_responsibility), 0) as balance
from (values ('0-30', 0, 30), ('31-60', 31, 60), ('61-90', 61, 90), ('91+', 91, 100000)) band(days, low, high)
left join claims c on %s::date - c.first_service_on between band.low and band.high
    and charge - paid - adjustments - patient_responsibility <> 0
group by band.days, band.low order by band.low
"""
BATCHES = b"select * from batches where position > %s order by position limit %s"
FAILURES = b"select * from exchange_failures where position > %s order by position limit %s"


@router.post("/claim-batches", status_code=201)
async def cut(body: CutoffIn, caller: Calling) -> Accepted:
    """Put the payer's charges on claims now, and send them; Saturday's cut-off does it weekly."""
    return await caller.execute(CutClaims(payer=body.payer))


@router.get("/claim-batches")
async def batches(caller: Calling, after: After = 0, limit: Limit = 100) -> Page[BatchOut]:
    """Interchanges in order."""
    return page(BatchOut, await caller.rows(BATCHES, after, limit + 1), limit)


@router.get("/claims")
async def claims(
    caller: Calling,
    payer: Code | None = None,
    status: ClaimStatus | None = None,
    patient: UUID | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[ClaimOut]:
    """Claims with their balances."""
    filters = (payer, payer, status, status, patient, patient)
    return page(ClaimOut, await caller.rows(CLAIMS, after, *filters, limit + 1), limit)


@router.get("/claims/{number}")
async def claim(number: ClaimNumber, caller: Calling) -> ClaimOut:
    """One claim by our number of it."""
    return ClaimOut.model_validate(await _row(number, caller))


@router.post("/claims/{number}/submissions", status_code=201)
async def submit_again(number: ClaimNumber, caller: Calling) -> Accepted:
    """Send a claim that could not be written before, once what it lacked is there."""
    return await caller.execute(SubmitAgain(claim=(await _row(number, caller))["claim"]))


@router.get("/claim-aging")
async def aging(caller: Calling) -> list[AgeBand]:
    """What is open, by age."""
    return [AgeBand.model_validate(row) for row in await caller.rows(AGING, caller.now.date())]


@router.get("/exchange-failures")
async def failures(caller: Calling, after: After = 0, limit: Limit = 100) -> Page[FailureOut]:
    """Files that failed: staff must act."""
    return page(FailureOut, await caller.rows(FAILURES, after, limit + 1), limit)


async def _row(number: ClaimNumber, caller: Calling) -> dict[str, Any]:
    row = await caller.row(CLAIM, number)
    if row is None:
        raise NotFound(kind="claim", id=number)
    return row
