"""Sessions: called off, or closed with what each member did."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.event import Value

from chassis.command import Command, Work
from chassis.refusal import Refusal
from services.scheduling.commands.attendance import note
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.attendance import Attendance, attendance_id
from services.scheduling.domain.enrollment import Enrollment
from services.scheduling.domain.group import Group
from services.scheduling.domain.presence import Missed, There
from services.scheduling.domain.refusals import MemberTwice, SessionIsClosed, SessionWasHeld
from services.scheduling.domain.session import Session


class CancelSession(Command):
    """The program calls a session off."""

    session: UUID
    reason: Code


@handlers.handles(CancelSession)
async def cancel_session(command: CancelSession, work: Work) -> None:
    """Nobody need come. Raises NotFound, SessionIsClosed, SessionWasHeld."""
    session = await work.load(Session, command.session)
    if await _was_held(session, work):
        raise SessionWasHeld(session=session.id)
    session.cancel(command.reason, work.now)


async def _was_held(session: Session, work: Work) -> bool:
    """Whether anything is recorded of who has, or had, a seat; by streams, so that none comes meanwhile."""
    group = await work.load(Group, session.meeting.group)
    for id in sorted(group.seated):
        enrollment = await work.load(Enrollment, id)
        if enrollment.patient and await work.find(Attendance, attendance_id(session.id, enrollment.patient)):
            return True
    return False


class MemberFacts(Value):
    """What one member did at a session."""

    patient: UUID
    episode: UUID
    said: There | Missed


class CloseSession(Command):
    """A session is over; ``members`` tells what each did who is not recorded yet."""

    session: UUID
    members: tuple[MemberFacts, ...]


@handlers.handles(CloseSession)
async def close_session(command: CloseSession, work: Work) -> None:
    """Each member's facts on their own stream, all or none, and how many were there.

    Raises NotFound, SessionIsClosed, MemberTwice and the refusals of ``note``, with the member's place.
    """
    session = await work.load(Session, command.session)
    if session.closed:
        raise SessionIsClosed(session=session.id)
    listed: set[UUID] = set()
    for place, member in enumerate(command.members):
        try:
            await _note(session, member, listed, work)
        except Refusal as refusal:
            refusal.place = f"/members/{place}{refusal.place or ''}"
            raise
    present, unaccounted = await _count(session, listed, work)
    session.close(present, unaccounted, work.now)


async def _note(session: Session, member: MemberFacts, listed: set[UUID], work: Work) -> None:
    if member.patient in listed:
        raise MemberTwice(patient=member.patient)
    listed.add(member.patient)
    await note(session, member.patient, member.episode, member.said, work)


async def _count(session: Session, listed: set[UUID], work: Work) -> tuple[int, int]:
    """Who was there, and who had a seat but of whom nothing is known."""
    group = await work.load(Group, session.meeting.group)
    on = group.on(session.meeting.starts_at)
    members = set(listed)
    for id in group.seats:
        enrollment = await work.load(Enrollment, id)
        if enrollment.patient and enrollment.covers(on):
            members.add(enrollment.patient)
    known = [await work.find(Attendance, attendance_id(session.id, member)) for member in sorted(members)]
    present = sum(1 for each in known if each and each.minutes > 0)
    return present, sum(1 for each in known if each is None)
