"""Lists of configuration and seats: tracks, groups, placements, rosters, waitlists."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from caretrail_contracts.codes import Code
from fastapi import APIRouter
from pydantic import BaseModel

from web.http import Calling
from web.paging import After, Limit, Page, page
from web.times import Day

router = APIRouter()


class TrackOut(BaseModel):
    """A track."""

    track: str
    site: str
    name: str
    weekly_minutes: int
    position: int


class GroupOut(BaseModel):
    """A group, how many seats it has and how many are taken, and how many wait."""

    group: UUID
    track: str
    site: str
    name: str
    minutes: int
    time_zone: str
    capacity: int
    taken: int
    waiting: int
    facilitator: str
    first_on: date
    last_on: date
    position: int


class PlacementOut(BaseModel):
    """An episode's place in a track; a rejected one waits for staff."""

    episode: UUID
    patient: UUID
    track: str
    status: Literal["placed", "rejected", "ended"]
    reason: str | None
    position: int


class SeatOut(BaseModel):
    """A seat and who holds it; ``ends_on`` is the last date, null while it is held."""

    enrollment: UUID
    patient: UUID
    episode: UUID
    seat: int
    starts_on: date | None
    ends_on: date | None
    position: int


class WaitOut(BaseModel):
    """Somebody who waits; ``place`` counts from 1."""

    enrollment: UUID
    patient: UUID
    episode: UUID
    place: int
    since: datetime
    position: int


TRACKS = b"select * from tracks where position > %s order by position limit %s"

GROUPS = b"""
select g.*, g.group_id as "group",
  (select count(*) from roster r where r.group_id = g.group_id and not r.ended) as taken,
  (select count(*) from waitlist w where w.group_id = g.group_id) as waiting
from session_groups g
where g.position > %s and (%s::text is null or g.track = %s)
order by g.position limit %s
"""

PLACEMENTS = b"""
select * from placements
where position > %s and (%s::text is null or status = %s) and (%s::uuid is null or patient = %s)
order by position limit %s
"""

ROSTER = b"""
select * from roster
where group_id = %s and position > %s
  and case when %s::date is null then not ended
      else starts_on <= %s and (not ended or ends_on >= %s) end
order by position limit %s
"""

WAITLIST = b"""
select * from (
  select *, row_number() over (order by position) as place from waitlist where group_id = %s
) as line
where position > %s order by position limit %s
"""


@router.get("/tracks")
async def tracks(caller: Calling, after: After = 0, limit: Limit = 100) -> Page[TrackOut]:
    """Every track."""
    return page(TrackOut, await caller.rows(TRACKS, after, limit + 1), limit)


@router.get("/groups")
async def groups(
    caller: Calling, track: Code | None = None, after: After = 0, limit: Limit = 100
) -> Page[GroupOut]:
    """Groups, all or those of a track."""
    return page(GroupOut, await caller.rows(GROUPS, after, track, track, limit + 1), limit)


@router.get("/placements")
async def placements(
    caller: Calling,
    status: Literal["placed", "rejected", "ended"] | None = None,
    patient: UUID | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[PlacementOut]:
    """Placements, all or those of a status or a patient."""
    rows = await caller.rows(PLACEMENTS, after, status, status, patient, patient, limit + 1)
    return page(PlacementOut, rows, limit)


@router.get("/groups/{group}/roster")
async def roster(
    group: UUID, caller: Calling, on: Day | None = None, after: After = 0, limit: Limit = 100
) -> Page[SeatOut]:
    """Who sits in a group, now or on a date."""
    return page(SeatOut, await caller.rows(ROSTER, group, after, on, on, on, limit + 1), limit)


@router.get("/groups/{group}/waitlist")
async def waitlist(group: UUID, caller: Calling, after: After = 0, limit: Limit = 100) -> Page[WaitOut]:
    """Who waits for a seat of a group, the next one first."""
    return page(WaitOut, await caller.rows(WAITLIST, group, after, limit + 1), limit)
