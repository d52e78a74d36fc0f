"""Attendance of one member: entered once, corrected with a reason and an approver."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code

from chassis.command import Command, Work
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.attendance import Attendance, Entry, Member, attendance_id
from services.scheduling.domain.enrollment import Enrollment, enrollment_id
from services.scheduling.domain.group import Group
from services.scheduling.domain.refusals import NotEnrolled
from services.scheduling.domain.session import Session


class RecordAttendance(Command):
    """Enter a member's attendance of a session."""

    session: UUID
    patient: UUID
    episode: UUID
    entry: Entry


class CorrectAttendance(Command):
    """An attendance was entered wrongly; this is right."""

    attendance: UUID
    entry: Entry
    reason: Code
    approver: Code


@handlers.handles(RecordAttendance)
async def record_attendance(command: RecordAttendance, work: Work) -> None:
    """Raises NotFound and what ``enter`` raises."""
    session = await work.load(Session, command.session)
    group = await work.load(Group, session.group)
    who = Member(patient=command.patient, episode=command.episode)
    await enter(who, command.entry, session, group, work)


async def enter(member: Member, entry: Entry, session: Session, group: Group, work: Work) -> None:
    """The member's fact on their own stream; the same entry again changes nothing.

    Raises NotEnrolled, AttendanceRecordedOtherwise and what ``attendance.check`` raises.
    """
    known = await work.find(Attendance, attendance_id(session.id, member.patient))
    if known:
        known.confirm(entry)
        return
    await _check_enrolled(member, session, group, work)
    attendance = work.add(Attendance.enter(member, session, entry, work.now))
    attendance.site = group.site


async def _check_enrolled(member: Member, session: Session, group: Group, work: Work) -> None:
    """On the date of the session: an entry may come after the discharge."""
    day = group.date_of(session.starts_at)
    enrollment = await work.find(Enrollment, enrollment_id(member.episode, group.id))
    if enrollment is None or not enrollment.holds_on(member.patient, day):
        raise NotEnrolled(patient=member.patient, group=group.id, on=day)


@handlers.handles(CorrectAttendance)
async def correct_attendance(command: CorrectAttendance, work: Work) -> None:
    """Raises NotFound and what ``Attendance.correct`` raises."""
    attendance = await work.load(Attendance, command.attendance)
    session = await work.load(Session, attendance.session)
    attendance.site = (await work.load(Group, session.group)).site
    attendance.correct(session, command.entry, command.reason, command.approver, work.now)
