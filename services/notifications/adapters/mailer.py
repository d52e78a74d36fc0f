"""The effects: what was released goes to the mail server, and what it said comes back as a command."""

from __future__ import annotations

from typing import Any

from caretrail_contracts.envelope import Envelope, Purpose
from caretrail_contracts.notifications import MessageReleased, StaffNoticeReleased

from chassis.command import Command
from chassis.office import AdapterOffice
from keystore.doors import Erased
from services.notifications.adapters.mail import mail_id, mail_of
from services.notifications.adapters.smtp import NotTaken, hand_over, server_of
from services.notifications.commands.messages import RecordMessageFailed, RecordMessageSent
from services.notifications.commands.notices import RecordNoticeFailed, RecordNoticeSent
from services.notifications.domain.quiet_hours import zone_of
from services.notifications.domain.templates import message_text, notice_text


async def send_message(event: MessageReleased, about: Envelope, office: AdapterOffice) -> Command | None:
    """Mail a message to its patient, at the address that was sealed when it was released."""
    options: Any = office.options
    try:
        to = await _address_of(event, office)
        text = message_text(event.template, event.appointment, zone_of(event.time_zone))
        mail = mail_of(event.message, to, text, options.mail_sender, about.occurred_at)
        await hand_over(mail, server_of(options.smtp_url.get_secret_value()))
    except NotTaken as fault:
        return RecordMessageFailed(
            message=event.message, attempt=event.attempt, reason=fault.reason, final=fault.final
        )
    return RecordMessageSent(
        message=event.message,
        attempt=event.attempt,
        message_id=mail_id(event.message, options.mail_sender),
    )


async def _address_of(event: MessageReleased, office: AdapterOffice) -> str:
    [to] = await office.open(
        event.patient, [event.to], resource=f"message-{event.message}", purpose=Purpose.TREATMENT.value
    )
    if isinstance(to, Erased):
        raise NotTaken("address_erased", final=True)
    return str(to.root)


async def send_notice(event: StaffNoticeReleased, about: Envelope, office: AdapterOffice) -> Command | None:
    """Mail a staff member that a task waits; the mail says its kind and id alone."""
    options: Any = office.options
    try:
        to = options.staffing.email_of(event.assignee)
        if to is None:
            raise NotTaken("assignee_unknown", final=True)
        text = notice_text(event.kind, event.task)
        mail = mail_of(event.notice, to, text, options.mail_sender, about.occurred_at)
        await hand_over(mail, server_of(options.smtp_url.get_secret_value()))
    except NotTaken as fault:
        return RecordNoticeFailed(
            notice=event.notice, attempt=event.attempt, reason=fault.reason, final=fault.final
        )
    return RecordNoticeSent(
        notice=event.notice,
        attempt=event.attempt,
        message_id=mail_id(event.notice, options.mail_sender),
    )
