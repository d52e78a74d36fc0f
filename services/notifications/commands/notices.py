"""Notices to staff: mails about tasks, tried again while they fail."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.notifications import StaffNoticeReleased, TaskKind

from chassis.command import Command, Work
from services.notifications.commands.registry import handlers
from services.notifications.domain.notice import Notice, notice_id


class NotifyStaff(Command):
    """Whoever has a task now is told of it by mail."""

    task: UUID
    kind: TaskKind
    assignee: Code
    level: int


@handlers.handles(NotifyStaff)
async def notify_staff(command: NotifyStaff, work: Work) -> None:
    """Once for each level of the task."""
    id = notice_id(command.task, command.level)
    if await work.find(Notice, id):
        return
    released = StaffNoticeReleased(
        notice=id, task=command.task, kind=command.kind, assignee=command.assignee, attempt=1
    )
    work.add(Notice.release(released, work.now))


class NotifyAgain(Command):
    """A notice that failed is tried again."""

    notice: UUID
    attempt: int


@handlers.handles(NotifyAgain)
async def notify_again(command: NotifyAgain, work: Work) -> None:
    """Once for each attempt."""
    (await work.load(Notice, command.notice)).release_again(command.attempt, work.now)


class RecordNoticeSent(Command):
    """The mail server took a notice."""

    notice: UUID
    attempt: int
    message_id: str


@handlers.handles(RecordNoticeSent)
async def record_notice_sent(command: RecordNoticeSent, work: Work) -> None:
    """Once for each attempt."""
    notice = await work.load(Notice, command.notice)
    notice.sent(command.attempt, command.message_id, work.now)


class RecordNoticeFailed(Command):
    """The mail server did not take a notice; ``final`` where trying again is no use."""

    notice: UUID
    attempt: int
    reason: Code
    final: bool


@handlers.handles(RecordNoticeFailed)
async def record_notice_failed(command: RecordNoticeFailed, work: Work) -> None:
    """Once for each attempt."""
    notice = await work.load(Notice, command.notice)
    notice.failed(command.attempt, command.reason, command.final, work.now)
