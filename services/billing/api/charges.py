"""Days of service: held and why, captured, claimed."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from caretrail_contracts.codes import Money
from fastapi import APIRouter
from pydantic import BaseModel

from services.billing.domain.charge_day import ChargeStatus
from web.http import Calling
from web.paging import After, Limit, Page, page

router = APIRouter()


class ChargeOut(BaseModel):
    """A day of service; ``rule`` says why it is held or was voided."""

    charge: UUID
    patient: UUID
    episode: UUID
    service_date: date
    status: ChargeStatus
    rule: str | None
    minutes: int | None
    held_since: datetime | None
    payer: str | None
    code: str | None
    units: int | None
    amount: Money | None
    claim: UUID | None
    position: int


CHARGES = b"""
select * from charge_days
where position > %s and (%s::uuid is null or patient = %s) and (%s::text is null or status = %s)
order by position limit %s
"""


@router.get("/charges")
async def charges(
    caller: Calling,
    patient: UUID | None = None,
    status: ChargeStatus | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[ChargeOut]:
    """Days of service; ``?status=held`` is the hold queue."""
    rows = await caller.rows(CHARGES, after, patient, patient, status, status, limit + 1)
    return page(ChargeOut, rows, limit)
