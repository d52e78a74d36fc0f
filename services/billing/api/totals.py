"""Totals of claims and dollars."""

from __future__ import annotations

from caretrail_contracts.codes import Money
from fastapi import APIRouter
from pydantic import BaseModel

from web.http import Calling

router = APIRouter()


class TotalsOut(BaseModel):
    """Claims by their state, and dollars; ``charged`` is what stands on claims."""

    claims: int
    claims_waiting: int
    claims_paid: int
    claims_partly_denied: int
    claims_denied: int
    claims_in_review: int
    claims_reversed: int
    charged: Money
    paid: Money
    adjusted: Money
    patient_responsibility: Money
    denied: Money
    balance: Money
    charges_held: int
    charges_uncut: int
    authorizations_denied: int
    denials_open: int
    remittance_claims_parked: int


TOTALS = b"""
select count(*) as claims,
    count(*) filter (where status in ('created', 'submitted')) as claims_waiting,
    count(*) filter (where status = 'paid') as claims_paid,
    count(*) filter (where status = 'partly_denied') as claims_partly_denied,
    count(*) filter (where status = 'denied') as claims_denied,
    count(*) filter (where status = 'review') as claims_in_review,
    count(*) filter (where status = 'reversed') as claims_reversed,
    coalesce(sum(charge), 0) as charged,
    coalesce(sum(paid), 0) as paid,
    coalesce(sum(adjustments), 0) as adjusted,
    coalesce(sum(patient_responsibility), 0) as patient_responsibility,
    coalesce(sum(denied), 0) as denied,
    coalesce(sum(charge - paid - adjustments - patient_responsibility), 0) as balance,
    (select count(*) from charge_days where status = 'held') as charges_held,
    (select count(*) from charge_days where status = 'captured') as charges_uncut,
    (select count(*) from authorizations where status = 'denied') as authorizations_denied,
    (select count(*) from denials where state <> 'closed') as denials_open,
    (select count(*) from parked_claims) as remittance_claims_parked
from claims
"""


@router.get("/totals")
async def totals(caller: Calling) -> TotalsOut:
    """Everything at once."""
    return TotalsOut.model_validate(await caller.row(TOTALS))
