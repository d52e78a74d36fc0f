"""The denial work list, and appeals."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from caretrail_contracts.codes import Code, Money
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.billing.commands.denials import CloseDenial, FileAppeal
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page

router = APIRouter()

State = Literal["open", "appealed", "upheld", "overturned", "closed"]


class AppealIn(BaseModel):
    """An appeal of a level, the first one being 1; grounds are a code."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"level": 1, "grounds": "authorization-on-file"}]}
    )

    level: Annotated[int, Field(ge=1, le=5)]
    grounds: Code


class ClosingIn(BaseModel):
    """Why staff do not go on with a denial."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"outcome": "written-off"}]})

    outcome: Literal["written-off", "corrected-claim-sent", "billed-elsewhere"]


class DenialOut(BaseModel):
    """A denial: what was denied, why, and until when to act."""

    denial: UUID
    claim: UUID
    number: str
    patient: UUID
    denial_class: str
    carc: list[str]
    amount: Money
    regime: str
    appeal_deadline: date
    work_by: date
    state: State
    level: int
    outcome: str | None
    recovered: Money | None
    position: int


DENIALS = b"""
select d.*, c.number from denials d join claims c using (claim)
where d.position > %s and (%s::text is null or d.state = %s) order by d.position limit %s
"""


@router.get("/denials")
async def denials(
    caller: Calling, state: State | None = None, after: After = 0, limit: Limit = 100
) -> Page[DenialOut]:
    """The work list; ``?state=open`` waits for somebody."""
    return page(DenialOut, await caller.rows(DENIALS, after, state, state, limit + 1), limit)


@router.post("/denials/{denial}/appeals", status_code=201)
async def appeal(denial: UUID, body: AppealIn, caller: Calling) -> Accepted:
    """File the next level; the payer's answer comes through the exchange."""
    return await caller.execute(FileAppeal(denial=denial, level=body.level, grounds=body.grounds))


@router.post("/denials/{denial}/close")
async def close(denial: UUID, body: ClosingIn, caller: Calling) -> Accepted:
    """Nothing more is to be done."""
    return await caller.execute(CloseDenial(denial=denial, outcome=body.outcome))
