"""Meetings: called off before, or closed after with everybody's attendance."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code

from chassis.command import Command, Work
from services.scheduling.commands.attendance import enter
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.attendance import Attendance, Entry, Member, attendance_id
from services.scheduling.domain.enrollment import Enrollment
from services.scheduling.domain.group import Group
from services.scheduling.domain.refusals import MemberNamedTwice, SessionHasAttendance
from services.scheduling.domain.session import Session


class CancelSession(Command):
    """Call a meeting off."""

    session: UUID
    reason: Code


class MemberEntry(Command):
    """One member's attendance, as entered."""

    patient: UUID
    episode: UUID
    entry: Entry


class CloseSession(Command):
    """A meeting is over; these are the members whose attendance is not on record yet."""

    session: UUID
    members: tuple[MemberEntry, ...] = ()


@handlers.handles(CancelSession)
async def cancel_session(command: CancelSession, work: Work) -> None:
    """Raises NotFound, SessionIsCancelled, SessionIsClosed, SessionHasAttendance."""
    session = await work.load(Session, command.session)
    session.site = (await work.load(Group, session.group)).site
    session.cancel(command.reason, work.now)
    if await work.rows("attendance", session=command.session):
        raise SessionHasAttendance(session=command.session)


@handlers.handles(CloseSession)
async def close_session(command: CloseSession, work: Work) -> None:
    """Every member's facts on their own streams, and how many they were.

    Raises NotFound, MemberNamedTwice, SessionIsClosed and what ``enter`` raises.
    """
    session = await work.load(Session, command.session)
    group = await work.load(Group, session.group)
    session.site = group.site
    session.check_open()
    _check_once_each(command)
    for member in command.members:
        who = Member(patient=member.patient, episode=member.episode)
        await enter(who, member.entry, session, group, work)
    expected = await _expected(session, group, work)
    named = {member.patient for member in command.members}
    known = {patient: await _attendance(session, patient, work) for patient in expected | named}
    there = [found for found in known.values() if found and found.entry.minutes > 0]
    session.close(len(there), sum(found is None for found in known.values()), work.now)


def _check_once_each(command: CloseSession) -> None:
    patients = [member.patient for member in command.members]
    for patient in patients:
        if patients.count(patient) > 1:
            raise MemberNamedTwice(patient=patient)


async def _expected(session: Session, group: Group, work: Work) -> set[UUID]:
    """Whose seat holds on the date of the meeting."""
    day = group.date_of(session.starts_at)
    seated = [await work.load(Enrollment, enrollment) for enrollment in group.seats.values()]
    return {one.patient for one in seated if one.patient and one.holds_on(one.patient, day)}


async def _attendance(session: Session, patient: UUID, work: Work) -> Attendance | None:
    return await work.find(Attendance, attendance_id(session.id, patient))
