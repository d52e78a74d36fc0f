"""A notice to staff: the mail about a task's assignment, one stream for each level of the task."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.notifications import (
    StaffNoticeFailed,
    StaffNoticeReleased,
    StaffNoticeSent,
    TaskKind,
)

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.notifications.domain.retries import NOTICE_WAITS, retry_at


def notice_id(task: UUID, level: int) -> UUID:
    """The id of the one notice to whom a task has after so many escalations."""
    return derive("notice", task, level)


class Notice(Aggregate):
    """In the mail at once, at any hour; tried again while it fails, but the task never waits for it."""

    category: ClassVar[str] = "notice"
    patient: UUID | None = None
    task: UUID | None = None
    kind: TaskKind = TaskKind.OUTREACH
    assignee: str = ""
    attempt: int = 0
    in_the_mail: bool = False

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case StaffNoticeReleased():
                self.task, self.kind, self.assignee = fact.task, fact.kind, fact.assignee
                self.attempt, self.in_the_mail = fact.attempt, True
            case StaffNoticeSent() | StaffNoticeFailed():
                self.in_the_mail = False

    @classmethod
    def release(cls, notice: StaffNoticeReleased, at: datetime) -> Self:
        """A notice that goes out for the first time."""
        return cls.start(notice.notice, notice, at)

    def release_again(self, attempt: int, at: datetime) -> None:
        """Try once more."""
        assert self.task
        if self.attempt == attempt - 1 and not self.in_the_mail:
            again = StaffNoticeReleased(
                notice=self.id, task=self.task, kind=self.kind, assignee=self.assignee, attempt=attempt
            )
            self.record(again, at)

    def sent(self, attempt: int, message_id: str, at: datetime) -> None:
        """The mail server took it."""
        if self.in_the_mail and self.attempt == attempt:
            self.record(StaffNoticeSent(message_id=message_id), at)

    def failed(self, attempt: int, reason: str, final: bool, at: datetime) -> None:
        """The mail server did not take it."""
        if not self.in_the_mail or self.attempt != attempt:
            return
        assert self.task
        again = retry_at(NOTICE_WAITS, attempt, final, at)
        failed = StaffNoticeFailed(
            task=self.task, kind=self.kind, attempt=attempt, reason=reason, retry_at=again
        )
        self.record(failed, at)
