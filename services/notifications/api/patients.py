"""Patients: their wishes about messages, and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from caretrail_contracts.notifications import Template
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from services.notifications.commands.preferences import OptIn, OptOut
from services.notifications.domain.message import Status
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page

router = APIRouter()

_EXAMPLE: JsonDict = {
    "message": "3d2c1b0a-9f8e-5d7c-a6b5-4c3d2e1f0a9b",
    "patient": "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11",
    "template": "session_reminder",
    "channel": "email",
    "about": "9b1d7c52-4a2f-5d8e-b1c3-6e5f4d3c2b1a",
    "status": "sent",
    "rule": None,
    "reason": None,
    "posting": "2026-03-02T17:00:05Z",
    "appointment": "2026-03-03T14:00:00Z",
    "requested_at": "2026-03-02T17:00:00Z",
    "released_at": "2026-03-02T17:00:05Z",
    "sent_at": "2026-03-02T17:00:05Z",
    "position": 57,
}


class ChannelIn(BaseModel):
    """A channel of messages; mail is the one there is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channel": "email"}]})

    channel: Literal["email"]


class MessageOut(BaseModel):
    """A message: how far it came, which rule kept it back, or why the mail server did not take it.

    ``posting`` is when it was or will be decided on.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    message: UUID
    patient: UUID
    template: Template
    channel: str
    about: UUID
    status: Status
    rule: str | None
    reason: str | None
    posting: datetime
    appointment: datetime | None
    requested_at: datetime
    released_at: datetime | None
    sent_at: datetime | None
    position: int


MESSAGES = b"""
select * from messages
where position > %s and (%s::uuid is null or patient = %s) and (%s::text is null or status = %s)
order by position limit %s
"""


@router.post("/patients/{patient}/opt-out")
async def opt_out(patient: UUID, body: ChannelIn, caller: Calling) -> Accepted:
    """The patient wants no messages; what waits is not sent either."""
    return await caller.execute(OptOut(patient=patient, channel=body.channel))


@router.post("/patients/{patient}/opt-in")
async def opt_in(patient: UUID, body: ChannelIn, caller: Calling) -> Accepted:
    """The patient wants messages again."""
    return await caller.execute(OptIn(patient=patient, channel=body.channel))


@router.get("/messages")
async def messages(
    caller: Calling,
    patient: UUID | None = None,
    status: Status | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[MessageOut]:
    """Messages in the order in which they were wanted; addresses and texts are not shown."""
    rows = await caller.rows(MESSAGES, after, patient, patient, status, status, limit + 1)
    return page(MessageOut, rows, limit)
