"""The task board: what waits for staff, and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.notifications import TaskKind
from caretrail_contracts.system import Place
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.config import JsonDict

from chassis.refusal import NotFound
from services.notifications.commands.tasks import AcknowledgeTask, CompleteTask
from web.http import Accepted, Caller, Calling
from web.paging import After, Limit, Page, page
from web.problems import Problem

router = APIRouter()

State = Literal["open", "acknowledged", "completed"]

_EXAMPLE: JsonDict = {
    "task": "0f6e3c8e-9a5b-5c0e-8a57-2f0c5f1c1a11",
    "kind": "risk",
    "patient": "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11",
    "about": "9b1d7c52-4a2f-5d8e-b1c3-6e5f4d3c2b1a",
    "assignee": "on-call-1",
    "state": "open",
    "created_at": "2026-03-02T08:00:00Z",
    "due_at": "2026-03-02T08:15:00Z",
    "level": 0,
    "acknowledged_by": None,
    "completed_by": None,
    "outcome": None,
    "position": 42,
}


class TaskOut(BaseModel):
    """A task: whose it is, by when, and how far it came. ``level`` counts its escalations."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    task: UUID
    kind: TaskKind
    patient: UUID | None
    about: UUID
    assignee: str
    state: State
    created_at: datetime
    due_at: datetime
    level: int
    acknowledged_by: str | None
    completed_by: str | None
    outcome: str | None
    position: int


class NoticeOut(BaseModel):
    """A mail about a task: to whom, and whether the mail server took it."""

    notice: UUID
    assignee: str
    status: str
    attempt: int
    reason: str | None


class TaskWithNotices(TaskOut):
    """A task with the mails that went out about it."""

    notices: list[NoticeOut]


class Outcome(BaseModel):
    """What came of a task, as a code of the program."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"outcome": "screened"}]})

    outcome: Code


TASKS = b"""
select * from tasks
where position > %s and (%s::text is null or state = %s) and (%s::uuid is null or patient = %s)
order by position limit %s
"""
TASK = b"select * from tasks where task = %s"
NOTICES = b"select * from notices where task = %s order by notice"


@router.get("/tasks")
async def tasks(
    caller: Calling,
    state: State | None = None,
    patient: UUID | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[TaskOut]:
    """Tasks in the order in which they came, all or those of a state or a patient."""
    rows = await caller.rows(TASKS, after, state, state, patient, patient, limit + 1)
    return page(TaskOut, rows, limit)


@router.get("/tasks/{task}")
async def task(task: UUID, caller: Calling) -> TaskWithNotices:
    """One task with the mails about it."""
    row = await caller.row(TASK, task)
    if row is None:
        raise NotFound(kind="task", id=task)
    return TaskWithNotices.model_validate({**row, "notices": await caller.rows(NOTICES, task)})


@router.post("/tasks/{task}/acknowledge")
async def acknowledge(task: UUID, caller: Calling) -> Accepted:
    """The caller takes the task on: it is not escalated any further."""
    return await caller.execute(AcknowledgeTask(task=task, by=_person(caller)))


@router.post("/tasks/{task}/complete")
async def complete(task: UUID, body: Outcome, caller: Calling) -> Accepted:
    """The task is done."""
    return await caller.execute(CompleteTask(task=task, by=_person(caller), outcome=body.outcome))


_CODE: TypeAdapter[str] = TypeAdapter(Code)


def _person(caller: Caller) -> str:
    """The caller's id as the events carry it. Raises Problem where it is no code."""
    try:
        return _CODE.validate_python(caller.actor.id)
    except ValidationError:
        expected = "an id of letters, digits and . _ : / - (at most 64), then ; and the role"
        place = Place(at="Caretrail-Actor", expected=expected)
        detail = "A task keeps who took it on: name yourself by a code."
        raise Problem(422, "ActorNotACode", detail, (place,)) from None
