"""Lists of attendance: a day's, a session's or a patient's, and the minutes of a week."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.scheduling.domain.attendance import attendance_id
from web.http import Calling
from web.paging import After, Limit, Page, page
from web.times import Day

router = APIRouter()

Week = Annotated[
    str | None,
    Query(pattern=r"^\d{4}-W\d{2}$", description="ISO 8601 week, such as 2026-W10, where the group meets."),
]


class AttendanceOut(BaseModel):
    """What stands about a member at a session."""

    attendance: UUID
    session: UUID
    group: UUID
    patient: UUID
    episode: UUID
    status: Literal["attended", "partial", "missed"]
    minutes: int
    started_at: datetime | None
    ended_at: datetime | None
    cause: str | None
    excused: bool | None
    reason: str | None
    corrected: bool
    position: int


class DoseOut(BaseModel):
    """Minutes that a patient attended in a week, and those that the track wants; null where none is known."""

    patient: UUID
    episode: UUID
    week: str
    minutes: int
    target: int | None
    met: bool | None
    position: int


ATTENDANCE = b"""
select a.session, a.group_id as "group", a.patient, a.episode, a.minutes, a.started_at, a.ended_at,
  a.cause, a.excused, a.reason, a.corrected, a.position,
  case when a.status = 'attended' and a.minutes * 60 < extract(epoch from s.ends_at - s.starts_at)
    then 'partial' else a.status end as status
from attendance a join sessions s using (session) join session_groups g on g.group_id = s.group_id
where a.position > %s
  and (%s::uuid is null or a.session = %s)
  and (%s::uuid is null or a.patient = %s)
  and (%s::date is null or (s.starts_at at time zone g.time_zone)::date = %s)
order by a.position limit %s
"""

DOSES = b"""
with said as (
  select a.patient, a.episode, a.minutes, a.position,
    to_char(s.starts_at at time zone g.time_zone, 'IYYY"-W"IW') as week
  from attendance a join sessions s using (session) join session_groups g on g.group_id = s.group_id
  where %s::uuid is null or a.patient = %s
), doses as (
  select patient, episode, week, sum(minutes)::integer as minutes, min(position) as position
  from said where %s::text is null or week = %s
  group by patient, episode, week
)
select d.*, t.weekly_minutes as target, d.minutes >= t.weekly_minutes as met
from doses d left join placements p using (episode) left join tracks t on t.track = p.track
where d.position > %s order by d.position limit %s
"""


@router.get("/attendance")
async def attendance(
    caller: Calling,
    session: UUID | None = None,
    patient: UUID | None = None,
    on: Day | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[AttendanceOut]:
    """Attendance, all or that of a session, a patient or a date (where the group meets)."""
    rows = await caller.rows(ATTENDANCE, after, session, session, patient, patient, on, on, limit + 1)
    for row in rows:
        row["attendance"] = attendance_id(row["session"], row["patient"])
    return page(AttendanceOut, rows, limit)


@router.get("/weekly-dose")
async def weekly_dose(
    caller: Calling,
    week: Week = None,
    patient: UUID | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[DoseOut]:
    """Minutes of each patient and week, corrections counted in, against the track's weekly minutes."""
    rows = await caller.rows(DOSES, patient, patient, week, week, after, limit + 1)
    return page(DoseOut, rows, limit)
