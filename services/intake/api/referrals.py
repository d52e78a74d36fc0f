"""Referrals over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from caretrail_contracts.intake import ReferralReceived
from caretrail_contracts.sealed import sealed_fields
from fastapi import APIRouter
from pydantic import BaseModel

from chassis.refusal import NotFound
from services.intake.api.bodies import DeclineBody, ReferralBody, TriageBody
from services.intake.api.registering import Received, receive
from services.intake.api.sealing import Kinds, closed, opened
from services.intake.commands import AcceptReferral, DeclineReferral, TriageReferral
from services.intake.domain.referral import Status
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page

router = APIRouter(prefix="/referrals")

SEALED: Kinds = sealed_fields(ReferralReceived)


class Item(BaseModel):
    """A referral and where it stands; sealed values read ``‹sealed›`` unless they were asked for open."""

    referral: UUID
    patient: UUID
    source_type: str
    channel: str
    urgency: str
    level_of_care: str | None
    status: str
    decline_reason: str | None
    duplicate_of: UUID | None
    reasons: list[str]
    payer: str | None
    payer_name: str | None
    member_id: str | None
    requester: str | None
    external_id: str | None
    note: str | None
    episode: UUID | None
    received_at: datetime
    decided_at: datetime | None
    position: int


@router.post("", status_code=201)
async def receive_referral(body: ReferralBody, caller: Calling) -> Received:
    """Take in a referral; the same person gets the same pseudonym.

    The sender's number (``external_id``) of the same person and source again changes nothing (``repeated``).
    """
    return await receive(caller, body, body.external_id)


@router.post("/{referral}/triage")
async def triage(referral: UUID, body: TriageBody, caller: Calling) -> Accepted:
    """Judge urgency and level of care."""
    return await caller.execute(TriageReferral(referral=referral, **dict(body)))


@router.post("/{referral}/accept")
async def accept(referral: UUID, caller: Calling) -> Accepted:
    """Take the person on."""
    return await caller.execute(AcceptReferral(referral=referral))


@router.post("/{referral}/decline")
async def decline(referral: UUID, body: DeclineBody, caller: Calling) -> Accepted:
    """Do not take the person on."""
    return await caller.execute(DeclineReferral(referral=referral, reason=body.reason))


@router.get("")
async def pipeline(
    caller: Calling,
    status: Status | None = None,
    patient: UUID | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[Item]:
    """The pipeline, in the order received."""
    rows = await caller.rows(PIPELINE, after, status, patient, limit + 1)
    return page(Item, [closed(row, SEALED) for row in rows], limit)


@router.get("/{referral}")
async def one(referral: UUID, caller: Calling, open: bool = False) -> Item:
    """One referral; ``open=true`` shows what is sealed, and the look is recorded first."""
    row: dict[str, Any] | None = await caller.row("select * from referrals where referral = %s", referral)
    if row is None:
        raise NotFound(kind="referral", id=referral)
    if open:
        return Item.model_validate(await opened(caller, row, SEALED, resource="referral"))
    return Item.model_validate(closed(row, SEALED))


PIPELINE = b"""
select * from referrals
where position > %s and status = coalesce(%s, status) and patient = coalesce(%s, patient)
order by position limit %s
"""
