"""A task for staff: the record that somebody must act, whatever becomes of the mails about it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.notifications import (
    StaffTaskAcknowledged,
    StaffTaskCompleted,
    StaffTaskCreated,
    StaffTaskEscalated,
    TaskKind,
)

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.notifications.domain.refusals import TaskDone, TaskTaken


def task_id(kind: TaskKind, about: UUID, patient: UUID | None) -> UUID:
    """The id of the one task of this kind about this for this patient."""
    return derive("task", kind.value, about, patient)


class Task(Aggregate):
    """Open until acknowledged, and done when somebody says with which outcome."""

    category: ClassVar[str] = "task"
    patient: UUID | None = None
    kind: TaskKind = TaskKind.OUTREACH
    assignee: str = ""
    level: int = 0
    acknowledged_by: str | None = None
    outcome: str | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case StaffTaskCreated():
                self.patient, self.kind, self.assignee = fact.patient, fact.kind, fact.assignee
            case StaffTaskEscalated():
                self.assignee, self.level = fact.assignee, fact.level
            case StaffTaskAcknowledged():
                self.acknowledged_by = fact.by
            case StaffTaskCompleted():
                self.outcome = fact.outcome

    @classmethod
    def create(cls, task: StaffTaskCreated, at: datetime) -> Self:
        """A new task."""
        return cls.start(task.task, task, at)

    def escalates_to(self, level: int) -> bool:
        """Whether the next level is due: nobody took the task on, and it has not gone there yet."""
        return self.acknowledged_by is None and self.outcome is None and self.level == level - 1

    def escalate(self, level: int, assignee: str, due_at: datetime, at: datetime) -> None:
        """Hand the task to the next person."""
        if self.escalates_to(level):
            escalated = StaffTaskEscalated(
                task=self.id,
                kind=self.kind,
                previous=self.assignee,
                assignee=assignee,
                level=level,
                due_at=due_at,
            )
            self.record(escalated, at)

    def acknowledge(self, by: str, at: datetime) -> None:
        """Somebody takes the task on. Raises TaskDone, TaskTaken where another person did."""
        if self.outcome is not None:
            raise TaskDone(id=self.id, outcome=self.outcome)
        if self.acknowledged_by not in (None, by):
            raise TaskTaken(id=self.id, by=self.acknowledged_by)
        if self.acknowledged_by is None:
            self.record(StaffTaskAcknowledged(by=by), at)

    def complete(self, by: str, outcome: str, at: datetime) -> None:
        """The task is done. Raises TaskDone where it was, with another outcome."""
        if self.outcome not in (None, outcome):
            raise TaskDone(id=self.id, outcome=self.outcome)
        if self.outcome is None:
            self.record(StaffTaskCompleted(by=by, outcome=outcome), at)
