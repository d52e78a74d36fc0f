"""Remittances: an 835 comes in whole or not at all; what matches no claim of ours waits for a person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from caretrail_contracts.codes import Money
from caretrail_contracts.sealed import Document, Sealed
from caretrail_contracts.system import Place
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from chassis.http import Calling
from chassis.paging import After, Limit, Page, page
from chassis.problems import Problem
from chassis.refusal import NotFound
from keystore.doors import Erased
from services.billing.adapters.remittances import (
    MEDIA_TYPE,
    ReadRemittance,
    RemittanceRefused,
    read_remittance,
)
from services.billing.adapters.x12.answer import as_answer

router = APIRouter()

BODY = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "An X12 005010X221A1 file"}}},
    }
}
DryRun = Annotated[bool, Query(description="Read and answer only: nothing is posted or recorded.")]


class WarningOut(BaseModel):
    """Something odd that was read all the same."""

    segment: int
    segment_id: str
    element: int
    what: str


class RemittanceOut(BaseModel):
    """A payment and what became of its claims."""

    remittance: UUID
    payer: str
    trace: str
    total: Money
    claims: int
    posted: int | None
    parked: int | None
    paid_on: date | None
    received_at: datetime
    position: int


class PostedOut(BaseModel):
    """What a file said, in the form of ``caretrail ingest remittance``, and whether it was posted now.

    ``duplicate``: the same file was posted before, so that nothing changed.
    """

    posted: bool
    duplicate: bool
    position: int | None
    remittances: list[dict[str, Any]]
    warnings: list[WarningOut]


class ParkedOut(BaseModel):
    """A claim that was not posted; ``rule`` says why."""

    remittance: UUID
    index: int
    rule: str
    status: str
    charge: Money
    paid: Money
    position: int


class ParkedClaimOut(ParkedOut):
    """Likewise, with its segments opened; null where they were erased."""

    document: Document | None


REMITTANCES = b"select * from remittances where position > %s order by position limit %s"
PARKED = b"select * from parked_claims where position > %s order by position limit %s"
PARKED_ONE = b"select * from parked_claims where remittance = %s and index = %s"


@router.post("/remittances", status_code=201, openapi_extra=BODY)
async def post(request: Request, caller: Calling, dry_run: DryRun = False) -> PostedOut:
    """Post a file: every transaction set, or, where one does not read or balance, none."""
    data = await request.body()
    try:
        read = await read_remittance(data, caller)
    except RemittanceRefused as error:
        places: tuple[Place, ...] = (error.place,)
        if dry_run:
            raise Problem(422, error.rule, error.detail, places) from None
        raise await caller.refuse(error.rule, error.detail, places) from None
    if dry_run:
        return _answer(read, posted=False, duplicate=False, position=None)
    accepted = await caller.execute(read.command)
    await caller.open(None, [], resource="remittance answer")
    changed = bool(accepted.streams) and not accepted.repeated
    return _answer(read, posted=changed, duplicate=not changed, position=accepted.position)


def _answer(read: ReadRemittance, *, posted: bool, duplicate: bool, position: int | None) -> PostedOut:
    return PostedOut(
        posted=posted,
        duplicate=duplicate,
        position=position,
        remittances=as_answer(read.file),
        warnings=[
            WarningOut(segment=one.segment, segment_id=one.segment_id, element=one.element, what=one.what)
            for one in read.file.warnings
        ],
    )


@router.get("/remittances")
async def remittances(caller: Calling, after: After = 0, limit: Limit = 100) -> Page[RemittanceOut]:
    """Payments in the order in which they came."""
    return page(RemittanceOut, await caller.rows(REMITTANCES, after, limit + 1), limit)


@router.get("/remittance-review")
async def review(caller: Calling, after: After = 0, limit: Limit = 100) -> Page[ParkedOut]:
    """Claims of remittances that wait for a person."""
    return page(ParkedOut, await caller.rows(PARKED, after, limit + 1), limit)


@router.get("/remittance-review/{remittance}/{index}")
async def review_one(remittance: UUID, index: int, caller: Calling) -> ParkedClaimOut:
    """One of them with its segments, opened: leaves an access record."""
    row = await caller.row(PARKED_ONE, remittance, index)
    if row is None:
        raise NotFound(kind="parked claim", id=f"{remittance}/{index}")
    sealed = Sealed[Document].model_validate(row["document"])
    opened = (await caller.open(None, [sealed], resource=f"remittance {remittance} {index}"))[0]
    return ParkedClaimOut.model_validate(row | {"document": None if isinstance(opened, Erased) else opened})
