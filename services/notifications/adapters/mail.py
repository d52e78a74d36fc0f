"""Mails: neutral headers, a text that says no more than it must, an id that is the same at every try."""

from __future__ import annotations

from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

from services.notifications.adapters.smtp import NotTaken
from services.notifications.domain.templates import Text


def mail_id(subject: UUID, sender: str) -> str:
    """The Message-ID of the one mail of a message or a notice, under the sender's neutral domain."""
    return f"<{subject}@{sender.rpartition('@')[2]}>"


def mail_of(subject: UUID, to: str, text: Text, sender: str, at: datetime) -> EmailMessage:
    """A mail to one address. Raises NotTaken where the address is none."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = _address(to)
    mail["Subject"] = text.subject
    mail["Date"] = at
    mail["Message-ID"] = mail_id(subject, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text.body)
    return mail


def _address(text: str) -> Address:
    """One plain address: no display name, no list, no line break gets into a header."""
    if not text.isprintable():
        raise NotTaken("address_invalid", final=True)
    try:
        address = Address(addr_spec=text.strip())
    except (ValueError, IndexError, AttributeError, MessageError):
        raise NotTaken("address_invalid", final=True) from None
    if not address.username or not address.domain:
        raise NotTaken("address_invalid", final=True)
    return address
