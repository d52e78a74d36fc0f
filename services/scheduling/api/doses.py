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

SAID = """
attendance {a} join sessions {s} using (session) join session_groups {g} on {g}.group_id = {s}.group_id
cross join lateral (select to_char({s}.starts_at at time zone {g}.time_zone, 'IYYY"-W"IW') as week) {w}
"""

DOSES = f"""
with page as materialized (
  -- A week stands where its first word does: only so many are summed as are shown.
  select a.patient, a.episode, w.week, a.position
  from {SAID.format(a="a", s="s", g="g", w="w")}
  where a.position > %s and (%s::uuid is null or a.patient = %s)
    and (%s::text is null or w.week = %s and s.starts_at
      between to_date(%s, 'IYYY"-W"IW') - interval '2 days' and to_date(%s, 'IYYY"-W"IW') + interval '9 days')
    and a.position = (
      select min(b.position) from {SAID.format(a="b", s="t", g="h", w="v")}
      where b.episode = a.episode and b.patient = a.patient and v.week = w.week
    )
  order by a.position limit %s
)
select p.*, d.minutes, t.weekly_minutes as target, d.minutes >= t.weekly_minutes as met
from page p cross join lateral (
  select sum(b.minutes)::integer as minutes from {SAID.format(a="b", s="s", g="h", w="v")}
  where b.episode = p.episode and b.patient = p.patient and v.week = p.week
) d
left join placements l using (episode) left join tracks t on t.track = l.track
order by p.position
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
    rows = await caller.rows(DOSES, after, patient, patient, *[week] * 4, limit + 1)
    return page(DoseOut, rows, limit)
