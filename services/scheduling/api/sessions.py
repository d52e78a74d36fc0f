"""Sessions: called off, closed, listed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from caretrail_contracts.codes import Code
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.scheduling.api.attendance import EPISODE, EXCUSED, PATIENT, MemberIn
from services.scheduling.commands.sessions import CancelSession, CloseSession, MemberFacts
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.times import Day

router = APIRouter()

THERE = {"started_at": "2026-03-02T23:00:00Z", "ended_at": "2026-03-03T02:00:00Z"}


class CancelIn(BaseModel):
    """Why a session is called off, as a code of the program."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "facilitator-ill"}]})

    reason: Code


class CloseIn(BaseModel):
    """What each member did who is not recorded yet."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "members": [
                        {"patient": PATIENT, "episode": EPISODE, **THERE},
                        {
                            "patient": "1a2b3c4d-5e6f-5a7b-8c9d-0e1f2a3b4c5d",
                            "episode": "2b3c4d5e-6f7a-5b8c-9d0e-1f2a3b4c5d6e",
                            "missed": EXCUSED,
                        },
                    ]
                }
            ]
        },
    )

    members: Annotated[tuple[MemberIn, ...], Field(max_length=200)]


class SessionOut(BaseModel):
    """A session and what became of it."""

    session: UUID
    group: UUID
    starts_at: datetime
    ends_at: datetime
    status: Literal["scheduled", "cancelled", "closed"]
    reason: str | None
    participant_count: int | None
    unaccounted: int | None
    position: int


SESSIONS = b"""
select s.*, s.group_id as "group" from sessions s join session_groups g using (group_id)
where s.position > %s
  and (%s::uuid is null or s.group_id = %s)
  and (%s::text is null or s.status = %s)
  and (%s::date is null or (s.starts_at at time zone g.time_zone)::date = %s)
order by s.position limit %s
"""


@router.post("/sessions/{session}/cancel")
async def cancel(session: UUID, body: CancelIn, caller: Calling) -> Accepted:
    """Call a session off; its members need not come."""
    return await caller.execute(CancelSession(session=session, reason=body.reason))


@router.post("/sessions/{session}/close")
async def close(session: UUID, body: CloseIn, caller: Calling) -> Accepted:
    """Close a session with what its members did: all or none is recorded."""
    members = tuple(MemberFacts(patient=m.patient, episode=m.episode, said=m.said) for m in body.members)
    return await caller.execute(CloseSession(session=session, members=members))


@router.get("/sessions")
async def sessions(
    caller: Calling,
    group: UUID | None = None,
    status: Literal["scheduled", "cancelled", "closed"] | None = None,
    on: Day | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[SessionOut]:
    """Sessions, all or those of a group, a status or a date (where the group meets)."""
    rows = await caller.rows(SESSIONS, after, group, group, status, status, on, on, limit + 1)
    return page(SessionOut, rows, limit)
