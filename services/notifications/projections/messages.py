"""The message log: every message to a patient and what became of it."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.notifications import (
    MessageDeferred,
    MessageFailed,
    MessageReleased,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
)

from chassis.projection import Change, Projection, Table, on
from services.notifications.domain.message import Status
from services.notifications.domain.subject import subject_of

MESSAGES = Table(
    "messages",
    key={"message": "uuid"},
    values={
        "patient": "uuid",
        "template": "text",
        "channel": "text",
        "about": "uuid",
        "status": "text",
        "rule": "text",
        "posting": "timestamptz",
        "appointment": "timestamptz",
        "requested_at": "timestamptz",
        "released_at": "timestamptz",
        "sent_at": "timestamptz",
        "reason": "text",
        "position": "bigint",
    },
    indexes=("patient", "position"),
)


class MessageLog(Projection):
    """Every message to a patient and what became of it."""

    version = 1
    tables = (MESSAGES,)

    @on(MessageRequested)
    def requested(self, event: MessageRequested, about: Envelope) -> Iterator[Change]:
        """A message is wanted."""
        yield MESSAGES.put(
            message=event.message,
            patient=event.patient,
            template=event.template.value,
            channel=event.channel,
            about=event.about,
            status=Status.WAITING.value,
            posting=event.post_at,
            appointment=event.appointment,
            requested_at=about.occurred_at,
            position=about.position,
        )

    @on(MessageDeferred)
    def deferred(self, event: MessageDeferred, about: Envelope) -> Iterator[Change]:
        """It waits for the day."""
        yield MESSAGES.put(message=subject_of(about), posting=event.until)

    @on(MessageReleased)
    def released(self, event: MessageReleased, about: Envelope) -> Iterator[Change]:
        """It may go out."""
        yield MESSAGES.put(message=event.message, status=Status.RELEASED.value, released_at=about.occurred_at)

    @on(MessageSuppressed)
    def suppressed(self, event: MessageSuppressed, about: Envelope) -> Iterator[Change]:
        """It stays here."""
        yield MESSAGES.put(message=subject_of(about), status=Status.SUPPRESSED.value, rule=event.rule)

    @on(MessageSent)
    def sent(self, event: MessageSent, about: Envelope) -> Iterator[Change]:
        """It is out."""
        yield MESSAGES.put(
            message=subject_of(about), status=Status.SENT.value, sent_at=about.occurred_at, reason=None
        )

    @on(MessageFailed)
    def failed(self, event: MessageFailed, about: Envelope) -> Iterator[Change]:
        """It is tried again, or given up."""
        row = {"message": subject_of(about), "reason": event.reason}
        if event.retry_at is None:
            yield MESSAGES.put(**row, status=Status.FAILED.value)
        else:
            yield MESSAGES.put(**row, status=Status.WAITING.value, posting=event.retry_at)
