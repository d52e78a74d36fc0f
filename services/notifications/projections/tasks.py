"""The task board: tasks by state, and the mails about them."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.notifications import (
    StaffNoticeFailed,
    StaffNoticeReleased,
    StaffNoticeSent,
    StaffTaskAcknowledged,
    StaffTaskCompleted,
    StaffTaskCreated,
    StaffTaskEscalated,
)

from chassis.projection import Change, Projection, Table, on
from services.notifications.domain.message import Status
from services.notifications.domain.subject import subject_of

TASKS = Table(
    "tasks",
    key={"task": "uuid"},
    values={
        "kind": "text",
        "patient": "uuid",
        "about": "uuid",
        "assignee": "text",
        "state": "text",
        "created_at": "timestamptz",
        "due_at": "timestamptz",
        "level": "integer",
        "acknowledged_by": "text",
        "completed_by": "text",
        "outcome": "text",
        "position": "bigint",
    },
    indexes=("state", "position", "patient"),
)
NOTICES = Table(
    "notices",
    key={"notice": "uuid"},
    values={
        "task": "uuid",
        "assignee": "text",
        "status": "text",
        "attempt": "integer",
        "reason": "text",
    },
    indexes=("task",),
)


class TaskBoard(Projection):
    """Tasks by state: open, acknowledged, completed; and the mails about them."""

    version = 1
    tables = (TASKS, NOTICES)

    @on(StaffTaskCreated)
    def created(self, event: StaffTaskCreated, about: Envelope) -> Iterator[Change]:
        """Somebody must act."""
        yield TASKS.put(
            task=event.task,
            kind=event.kind.value,
            patient=event.patient,
            about=event.about,
            assignee=event.assignee,
            state="open",
            created_at=about.occurred_at,
            due_at=event.due_at,
            level=0,
            position=about.position,
        )

    @on(StaffTaskEscalated)
    def escalated(self, event: StaffTaskEscalated, about: Envelope) -> Iterator[Change]:
        """The next person has it."""
        yield TASKS.put(task=event.task, assignee=event.assignee, level=event.level, due_at=event.due_at)

    @on(StaffTaskAcknowledged)
    def acknowledged(self, event: StaffTaskAcknowledged, about: Envelope) -> Iterator[Change]:
        """Somebody took it on."""
        yield TASKS.put(task=subject_of(about), state="acknowledged", acknowledged_by=event.by)

    @on(StaffTaskCompleted)
    def completed(self, event: StaffTaskCompleted, about: Envelope) -> Iterator[Change]:
        """It is done."""
        yield TASKS.put(
            task=subject_of(about), state="completed", completed_by=event.by, outcome=event.outcome
        )

    @on(StaffNoticeReleased)
    def noticed(self, event: StaffNoticeReleased, about: Envelope) -> Iterator[Change]:
        """The assignee is told."""
        yield NOTICES.put(
            notice=event.notice,
            task=event.task,
            assignee=event.assignee,
            status=Status.RELEASED.value,
            attempt=event.attempt,
        )

    @on(StaffNoticeSent)
    def notice_sent(self, event: StaffNoticeSent, about: Envelope) -> Iterator[Change]:
        """The mail is out."""
        yield NOTICES.put(notice=subject_of(about), status=Status.SENT.value, reason=None)

    @on(StaffNoticeFailed)
    def notice_failed(self, event: StaffNoticeFailed, about: Envelope) -> Iterator[Change]:
        """The mail is tried again, or given up; the task stands."""
        status = Status.WAITING if event.retry_at else Status.FAILED
        yield NOTICES.put(notice=subject_of(about), status=status.value, reason=event.reason)
