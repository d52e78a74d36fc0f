"""Attendance: recorded for one member, and corrected with an approver."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code

from chassis.command import Command, Work
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.attendance import Attendance, attendance_id
from services.scheduling.domain.enrollment import Enrollment, enrollment_id
from services.scheduling.domain.group import Group
from services.scheduling.domain.presence import Missed, There
from services.scheduling.domain.refusals import NotEnrolled
from services.scheduling.domain.session import Session


class RecordAttendance(Command):
    """What a member did at a session."""

    session: UUID
    patient: UUID
    episode: UUID
    said: There | Missed


@handlers.handles(RecordAttendance)
async def record_attendance(command: RecordAttendance, work: Work) -> None:
    """On the member's own stream; the same again is no news.

    Raises NotFound, NotEnrolled, AttendanceStands and the refusals of ``presence.check``.
    """
    session = await work.load(Session, command.session)
    await note(session, command.patient, command.episode, command.said, work)


async def note(session: Session, patient: UUID, episode: UUID, said: There | Missed, work: Work) -> None:
    """Record what a member did at a session. Raises as ``record_attendance`` does."""
    standing = await work.find(Attendance, attendance_id(session.id, patient))
    if standing:
        standing.note_again(session, said)
        return
    await _check_seat(session, patient, episode, work)
    work.add(Attendance.note(patient, episode, session, said, work.now))


async def _check_seat(session: Session, patient: UUID, episode: UUID, work: Work) -> None:
    group = await work.load(Group, session.meeting.group)
    on = group.on(session.meeting.starts_at)
    enrollment = await work.find(Enrollment, enrollment_id(episode, group.id))
    if enrollment is None or enrollment.patient != patient or not enrollment.covers(on):
        raise NotEnrolled(episode=episode, group=group.id, on=on)


class CorrectAttendance(Command):
    """An attendance was recorded wrongly."""

    attendance: UUID
    said: There | Missed
    reason: Code
    approver: Code


@handlers.handles(CorrectAttendance)
async def correct_attendance(command: CorrectAttendance, work: Work) -> None:
    """These are the facts. Raises NotFound, NothingToCorrect and the refusals of ``presence.check``."""
    attendance = await work.load(Attendance, command.attendance)
    assert attendance.session is not None
    session = await work.load(Session, attendance.session)
    attendance.correct(session, command.said, command.reason, command.approver, work.now)
