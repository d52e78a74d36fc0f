"""Attendance: who was there and who was not, and corrections."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from caretrail_contracts.codes import Code
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.config import JsonDict

from services.scheduling.commands.attendance import CorrectAttendance, RecordAttendance
from services.scheduling.domain.attendance import attendance_id
from services.scheduling.domain.presence import Missed, There
from web.http import Accepted, Calling
from web.times import Moment

router = APIRouter()

PATIENT = "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11"
EPISODE = "7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f"
EXCUSED: JsonDict = {"excused": True, "reason": "illness"}
_SPAN: JsonDict = {"started_at": "2026-03-02T23:20:00Z", "ended_at": "2026-03-03T02:00:00Z"}
_MEMBER: JsonDict = {"patient": PATIENT, "episode": EPISODE}


class Said(BaseModel):
    """Either ``started_at`` and ``ended_at`` (and, where in part, its cause), or ``missed``."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    started_at: Moment | None = None
    ended_at: Moment | None = None
    cause: Code | None = None
    missed: Missed | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        times = (self.started_at, self.ended_at)
        if self.missed and (any(times) or self.cause):
            raise ValueError("expected either missed or started_at and ended_at, not both")
        if not self.missed and not all(times):
            raise ValueError("expected started_at and ended_at, or missed")
        return self

    @property
    def said(self) -> There | Missed:
        """What it says."""
        if self.missed:
            return self.missed
        there = {"started_at": self.started_at, "ended_at": self.ended_at, "cause": self.cause}
        return There.model_validate(there)


class MemberIn(Said):
    """What a member did at a session."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [{**_MEMBER, **_SPAN, "cause": "late"}, {**_MEMBER, "missed": EXCUSED}]
        },
    )

    patient: UUID
    episode: UUID


class CorrectionIn(Said):
    """The facts, why they were recorded wrongly (a code) and who approved the correction."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{**_SPAN, "reason": "sign-in-sheet", "approver": "supervisor-1"}]},
    )

    reason: Code
    approver: Code


class AttendanceAccepted(Accepted):
    """The attendance's id, by which it is corrected, beside what the command led to."""

    attendance: UUID


@router.post("/sessions/{session}/attendance", status_code=201)
async def record(session: UUID, body: MemberIn, caller: Calling) -> AttendanceAccepted:
    """Record what one member did; shorter than the session is attendance in part."""
    command = RecordAttendance(session=session, patient=body.patient, episode=body.episode, said=body.said)
    done = await caller.execute(command)
    return AttendanceAccepted(**done.model_dump(), attendance=attendance_id(session, body.patient))


@router.post("/attendance/{attendance}/correct")
async def correct(attendance: UUID, body: CorrectionIn, caller: Calling) -> Accepted:
    """Correct an attendance that was recorded wrongly; both facts stay on record."""
    command = CorrectAttendance(
        attendance=attendance, said=body.said, reason=body.reason, approver=body.approver
    )
    return await caller.execute(command)
