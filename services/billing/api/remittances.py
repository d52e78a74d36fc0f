"""Remittances: an 835 comes in whole or not at all; what matches no claim of ours waits for a person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from caretrail_contracts.codes import Money
from caretrail_contracts.sealed import Document, Sealed
from caretrail_contracts.system import Place
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from chassis.refusal import NotFound
from keystore.doors import Erased
from services.billing.adapters.remittances import (
    MEDIA_TYPE,
    ReadRemittance,
    RemittanceRefused,
    read_remittance,
)
from services.billing.adapters.x12.answer import as_answer
from services.billing.domain.remittance import Remittance, remittance_id
from web.http import Caller, Calling
from web.paging import After, Limit, Page, page
from web.problems import Problem, Unreadable

router = APIRouter()

EXAMPLE = """\
ISA*00*          *00*          *ZZ*LOCALPAYER     *ZZ*1234567893     *260321*0630*^*00501*358747113*0*P*:~
GS*HP*LOCALPAYER*1234567893*20260321*0630*358747113*X*005010X221A1~
ST*835*0001~
BPR*I*355*C*ACH*CCP*01*999999992*DA*123456*1999999999**01*999988880*DA*98765*20260321~
TRN*1*T166062843*1999999999~
DTM*405*20260321~
N1*PR*LOCAL HEALTH PLAN~
N3*1 LEDGER SQUARE~
N4*ALBANY*NY*122070001~
PER*BL*PROVIDER SERVICES*TE*5185550199~
N1*PE*MADE UP OUTPATIENT PROGRAM*XX*1234567893~
REF*TJ*999999999~
LX*1~
CLP*CP7PG35NDYZNFFL*1*412*355**12*P107639609870**1~
NM1*QC*1*ASHGROVE*LINNET****MI*W735898535~
SVC*HC:S9480*412*355**1~
DTM*472*20260318~
CAS*CO*45*57~
SE*17*0001~
GE*1*358747113~
IEA*1*358747113~
"""
FILE = {"type": "string", "description": "An X12 005010X221A1 file"}
BODY = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPE: {"schema": FILE, "example": EXAMPLE}},
    }
}
Index = Annotated[int, Path(ge=0, le=2**31 - 1, description="The claim's place in its remittance, from 0.")]
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

    ``duplicate``: all of it was posted before, so that nothing changed. Of each remittance that was posted,
    ``caretrail`` tells its id, how many claims were posted, which wait for a person and why, and whether it
    was ``repeated``: posted before, by this file or by another one that says the same, however packed.
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
        raise Unreadable(422, error.rule, error.detail, places) from None
    if dry_run:
        return _answer(read, posted=False, duplicate=False, position=None)
    accepted = await caller.execute(read.command)
    await caller.open(None, [], resource="remittance answer")
    changed = bool(accepted.streams) and not accepted.repeated
    answer = _answer(read, posted=changed, duplicate=not changed, position=accepted.position)
    effects = await _effects(read, set(accepted.streams) if changed else set(), caller)
    said = [one | {"caretrail": effect} for one, effect in zip(answer.remittances, effects, strict=True)]
    return answer.model_copy(update={"remittances": said})


async def _effects(read: ReadRemittance, changed: set[str], caller: Caller) -> list[dict[str, Any]]:
    """What became of each remittance, from the events themselves: read models may still be behind."""
    sets = read.command.remittances
    ids = [remittance_id(given.origin, given.content) for given in sets]
    streams = {Remittance.stream_of(id): id for id in ids}
    parked: dict[UUID, list[dict[str, Any]]] = {id: [] for id in ids}
    for row in await caller.rows(PARKED_EVENTS, list(streams)):
        parked[streams[row["stream"]]].append({"index": int(row["index"]), "rule": row["rule"]})
    return [
        {
            "remittance": id,
            "posted": len(given.claims) - len(parked[id]),
            "parked": parked[id],
            "repeated": Remittance.stream_of(id) not in changed,
        }
        for given, id in zip(sets, ids, strict=True)
    ]


PARKED_EVENTS = b"""
with parked as (
    select position, stream, convert_from(body, 'UTF8')::jsonb as body from events
    where stream = any(%s) and type = 'caretrail.billing.RemittanceClaimParked'
)
select stream, body ->> 'index' as index, body ->> 'rule' as rule from parked order by position
"""


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
async def review_one(remittance: UUID, index: Index, caller: Calling) -> ParkedClaimOut:
    """One of them with its segments, opened: leaves an access record."""
    row = await caller.row(PARKED_ONE, remittance, index)
    if row is None:
        raise NotFound(kind="parked claim", id=f"{remittance}/{index}")
    sealed = Sealed[Document].model_validate(row["document"])
    opened = (await caller.open(None, [sealed], resource=f"remittance {remittance} {index}"))[0]
    return ParkedClaimOut.model_validate(row | {"document": None if isinstance(opened, Erased) else opened})
