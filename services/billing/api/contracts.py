"""Contracts with payers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from caretrail_contracts.billing import ContractAgreed
from caretrail_contracts.codes import Code, Hcpcs, Minutes, Money
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from services.billing.commands.contracts import AgreeContract
from services.billing.domain.appeals import AppealRegime
from services.billing.domain.charging import GROUP_SIZE_MAX, PER_DIEM_MINUTES
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.text import Name
from web.times import Day

router = APIRouter()

EXAMPLE: JsonDict = {
    "payer": "acme-health",
    "contract": "acme-health.2026",
    "payer_name": "ACME HEALTH PLAN",
    "payer_id": "ACME1",
    "effective_on": "2026-01-01",
    "code": "H0015",
    "amount": "400.00",
    "appeal_regime": "provider_dispute",
    "dispute_days": 60,
}

Days = Annotated[int, Field(ge=1, le=1100)]
Amount = Annotated[Money, Field(gt=0)]


class ContractIn(BaseModel):
    """Terms from a day on; what is not given is common practice, not this payer's word.

    Without ``discrete_code`` and ``discrete_amount`` a day below ``min_minutes`` is not charged.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    payer: Code
    contract: Code
    payer_name: Name
    payer_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{2,15}$")]
    filing_indicator: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,2}$")] = "CI"
    effective_on: Annotated[Day, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
    code: Hcpcs
    amount: Amount
    min_minutes: Minutes = PER_DIEM_MINUTES
    discrete_code: Hcpcs | None = None
    discrete_amount: Amount | None = None
    group_size_max: Annotated[int, Field(ge=1, le=100)] = GROUP_SIZE_MAX
    place_of_service: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")] = "57"
    requires_auth: bool = True
    auth_units: Annotated[int, Field(ge=1, le=1_000)] = 36
    auth_days: Annotated[int, Field(ge=1, le=366)] = 90
    low_units: Annotated[int, Field(ge=0, le=100)] = 3
    review_lead_days: Annotated[int, Field(ge=0, le=60)] = 3
    timely_filing_days: Days = 90
    appeal_regime: AppealRegime = AppealRegime.PROVIDER_DISPUTE
    dispute_days: Days | None = None
    appeal_levels: Annotated[int, Field(ge=1, le=5)] = 2


class ContractOut(BaseModel):
    """Terms as they were agreed."""

    payer: Code
    effective_on: date
    terms: ContractAgreed
    position: int


CONTRACTS = b"select * from contracts where position > %s order by position limit %s"


@router.post("/payer-contracts", status_code=201)
async def agree(body: ContractIn, caller: Calling) -> Accepted:
    """Agree on terms; what waited for them (authorizations, held charges) goes on."""
    facts: dict[str, Any] = body.model_dump()
    return await caller.execute(AgreeContract(terms=ContractAgreed.model_validate(facts)))


@router.get("/payer-contracts")
async def contracts(caller: Calling, after: After = 0, limit: Limit = 100) -> Page[ContractOut]:
    """Every payer's terms."""
    return page(ContractOut, await caller.rows(CONTRACTS, after, limit + 1), limit)
