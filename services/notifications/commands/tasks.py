"""Tasks of staff: opened by causes, escalated by time, acknowledged and completed by people."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.notifications import StaffTaskCreated, TaskKind

from chassis.command import Command, Work
from services.notifications.commands.registry import Options, handlers
from services.notifications.domain.staffing import DUTIES
from services.notifications.domain.task import Task, task_id


class OpenTask(Command):
    """Staff must act; ``due_at`` where the cause sets a date of its own."""

    kind: TaskKind
    about: UUID
    patient: UUID | None = None
    due_at: datetime | None = None


@handlers.handles(OpenTask)
async def open_task(command: OpenTask, work: Work) -> None:
    """Once for each kind, cause and patient; at any hour, past every cap."""
    id = task_id(command.kind, command.about, command.patient)
    if await work.find(Task, id):
        return
    options: Options = work.options
    staffing = options.staffing
    created = StaffTaskCreated(
        task=id,
        kind=command.kind,
        patient=command.patient,
        about=command.about,
        assignee=staffing.assignee(command.kind),
        due_at=command.due_at or staffing.due_at(command.kind, work.now),
    )
    work.add(Task.create(created, work.now))


class EscalateTask(Command):
    """A task's time is up: if nobody acknowledged it, the next person has it."""

    task: UUID
    level: int


@handlers.handles(EscalateTask)
async def escalate_task(command: EscalateTask, work: Work) -> None:
    """Round and round the on-call list, until somebody acknowledges."""
    task = await work.load(Task, command.task)
    if not DUTIES[task.kind].escalates:
        return
    options: Options = work.options
    staffing = options.staffing
    assignee = staffing.assignee(task.kind, command.level)
    task.escalate(command.level, assignee, staffing.due_at(task.kind, work.now), work.now)


class AcknowledgeTask(Command):
    """Somebody takes a task on."""

    task: UUID
    by: Code


@handlers.handles(AcknowledgeTask)
async def acknowledge_task(command: AcknowledgeTask, work: Work) -> None:
    """Ends the escalation. Refuses TaskTaken, TaskDone."""
    (await work.load(Task, command.task)).acknowledge(command.by, work.now)


class CompleteTask(Command):
    """A task is done."""

    task: UUID
    by: Code
    outcome: Code


@handlers.handles(CompleteTask)
async def complete_task(command: CompleteTask, work: Work) -> None:
    """With its outcome. Refuses TaskDone where it was done with another."""
    (await work.load(Task, command.task)).complete(command.by, command.outcome, work.now)
