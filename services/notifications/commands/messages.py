"""Messages to patients: requested by causes, decided on at their posting time, sent or failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.notifications import MessageRequested, TaskKind, Template

from chassis.command import Command, Work
from services.notifications.commands.knowledge import (
    at_risk,
    members,
    other_messages,
    recipient,
    withdrawn,
)
from services.notifications.commands.registry import Options, handlers
from services.notifications.commands.tasks import OpenTask, open_task
from services.notifications.domain.message import MOOT, NOT_COMING, Message, Status, message_id
from services.notifications.domain.posting import posting_time
from services.notifications.domain.preferences import EMAIL


class RequestMessage(Command):
    """A message to one patient is wanted."""

    patient: UUID
    template: Template
    about: UUID
    appointment: datetime | None = None
    not_after: datetime | None = None


@handlers.handles(RequestMessage)
async def request_message(command: RequestMessage, work: Work) -> None:
    """Once for each template, cause and patient."""
    id = message_id(command.template, command.about, command.patient)
    if await work.find(Message, id):
        return
    options: Options = work.options
    wanted = MessageRequested(
        message=id,
        patient=command.patient,
        template=command.template,
        channel=EMAIL,
        about=command.about,
        post_at=posting_time(work.now, options.posting_every),
        appointment=command.appointment,
        not_after=command.not_after,
    )
    work.add(Message.request(wanted, work.now))


class RemindOfSession(Command):
    """The members of a session are to be reminded of it."""

    session: UUID
    group: UUID
    starts_at: datetime


@handlers.handles(RemindOfSession)
async def remind_of_session(command: RemindOfSession, work: Work) -> None:
    """Each member once, in order of their ids; nobody where the session was called off or is over."""
    if work.now >= command.starts_at or await withdrawn(work, command.session):
        return
    await _tell_members(Template.SESSION_REMINDER, command.session, command.group, command.starts_at, work)


class TellOfCancellation(Command):
    """The members of a session are to hear that it was called off."""

    session: UUID


@handlers.handles(TellOfCancellation)
async def tell_of_cancellation(command: TellOfCancellation, work: Work) -> None:
    """Each member once, in order of their ids; nobody where the session would have begun."""
    known = await work.row("sessions", session=command.session)
    if known and work.now < known["starts_at"]:
        group, starts_at = known["session_group"], known["starts_at"]
        await _tell_members(Template.SESSION_CANCELLED, command.session, group, starts_at, work)


async def _tell_members(
    template: Template, session: UUID, group: UUID, starts_at: datetime, work: Work
) -> None:
    for patient in await members(work, group):
        message = RequestMessage(
            patient=patient, template=template, about=session, appointment=starts_at, not_after=starts_at
        )
        await request_message(message, work)


class FollowUpMiss(Command):
    """A member was not at a session: write to them, and call where they are at risk."""

    patient: UUID
    session: UUID
    starts_at: datetime
    excused: bool


OUTREACH_WITHIN = timedelta(hours=36)
"""From the start of the missed session: the same day, or the morning after an evening's session."""


@handlers.handles(FollowUpMiss)
async def follow_up_miss(command: FollowUpMiss, work: Work) -> None:
    """Program policy: at an open moderate or high risk a human calls at the first miss."""
    if not command.excused:
        outreach = RequestMessage(
            patient=command.patient,
            template=Template.MISSED_SESSION,
            about=command.session,
            appointment=command.starts_at,
            not_after=command.starts_at + OUTREACH_WITHIN,
        )
        await request_message(outreach, work)
    if await at_risk(work, command.patient):
        await _call(command.patient, command.session, work)


class PostMessage(Command):
    """A message's posting time has come."""

    message: UUID
    posting: datetime


@handlers.handles(PostMessage)
async def post_message(command: PostMessage, work: Work) -> None:
    """Decide on the message; what a patient at risk, or on the way to us, will not get becomes a task."""
    message = await work.load(Message, command.message)
    if not message.waits_for(command.posting):
        return
    assert message.patient
    assert message.about
    options: Options = work.options
    message.post(
        await recipient(work, message.patient),
        await other_messages(work, message.patient, message.id),
        options.caps,
        await withdrawn(work, *message.causes),
        work.now,
    )
    if message.status is not Status.SUPPRESSED or message.rule in MOOT:
        return
    if await at_risk(work, message.patient):
        await _call(message.patient, message.about, work)
    elif message.template is Template.SESSION_CANCELLED and message.rule not in NOT_COMING:
        await _tell_in_person(message, work)


async def _call(patient: UUID, about: UUID, work: Work) -> None:
    await open_task(OpenTask(kind=TaskKind.CALL_PATIENT, patient=patient, about=about), work)


async def _tell_in_person(message: Message, work: Work) -> None:
    """Staff tell the patient what no mail may, before the appointment."""
    assert message.about
    options: Options = work.options
    due_at = options.staffing.due_at(TaskKind.OUTREACH, work.now)
    if message.appointment and work.now < message.appointment:
        due_at = min(due_at, message.appointment)
    outreach = OpenTask(kind=TaskKind.OUTREACH, patient=message.patient, about=message.about, due_at=due_at)
    await open_task(outreach, work)


class RecordMessageSent(Command):
    """The mail server took a message."""

    message: UUID
    attempt: int
    message_id: str


@handlers.handles(RecordMessageSent)
async def record_message_sent(command: RecordMessageSent, work: Work) -> None:
    """Once for each attempt."""
    message = await work.load(Message, command.message)
    message.sent(command.attempt, command.message_id, work.now)


class RecordMessageFailed(Command):
    """The mail server did not take a message; ``final`` where trying again is no use."""

    message: UUID
    attempt: int
    reason: Code
    final: bool


@handlers.handles(RecordMessageFailed)
async def record_message_failed(command: RecordMessageFailed, work: Work) -> None:
    """Once for each attempt; what a patient at risk will never get becomes a call."""
    message = await work.load(Message, command.message)
    message.failed(command.attempt, command.reason, command.final, work.now)
    if message.status is not Status.FAILED:
        return
    assert message.patient
    assert message.about
    if await at_risk(work, message.patient):
        await _call(message.patient, message.about, work)
