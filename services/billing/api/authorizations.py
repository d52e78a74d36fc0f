"""Authorizations: what was asked, certified, used."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.billing.commands.contracts import RequestAuthorization
from services.billing.domain.authorization import AuthorizationStatus
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.times import Day

router = APIRouter()

Near = Annotated[Day, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]


class AuthorizationIn(BaseModel):
    """More units, for a concurrent review."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"units": 18, "starts_on": "2026-04-20", "ends_on": "2026-06-30"}]},
    )

    units: Annotated[int, Field(ge=1, le=1_000)]
    starts_on: Near
    ends_on: Near


class AuthorizationOut(BaseModel):
    """An authorization: ``units`` are those certified, ``remaining`` is null before the payer's answer."""

    authorization: UUID
    patient: UUID
    episode: UUID
    payer: str
    code: str
    review: str
    status: AuthorizationStatus
    action: str | None
    number: str | None
    reason: str | None
    requested: int
    units: int | None
    used: int
    remaining: int | None
    starts_on: date
    ends_on: date
    review_due: date | None
    position: int


AUTHORIZATIONS = b"""
select *, authorization_id as authorization, units - used as remaining from authorizations
where position > %s and (%s::uuid is null or episode = %s) and (%s::text is null or status = %s)
order by position limit %s
"""


@router.post("/episodes/{episode}/authorizations", status_code=201)
async def request(episode: UUID, body: AuthorizationIn, caller: Calling) -> Accepted:
    """Ask the episode's payer for more; asked once for each first day."""
    return await caller.execute(RequestAuthorization(episode=episode, **body.model_dump()))


@router.get("/authorizations")
async def authorizations(
    caller: Calling,
    episode: UUID | None = None,
    status: AuthorizationStatus | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[AuthorizationOut]:
    """How authorizations burn down."""
    rows = await caller.rows(AUTHORIZATIONS, after, episode, episode, status, status, limit + 1)
    return page(AuthorizationOut, rows, limit)
