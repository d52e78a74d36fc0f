"""A message to a patient, from the wish to the mail server's word: one stream for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.notifications import (
    MessageDeferred,
    MessageFailed,
    MessageReleased,
    MessageRequested,
    MessageSent,
    MessageSuppressed,
    Template,
)
from caretrail_contracts.sealed import EmailAddress, Sealed

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.notifications.domain.posting import Candidate, Caps, cap_rule
from services.notifications.domain.quiet_hours import next_opening, zone_of
from services.notifications.domain.retries import MESSAGE_WAITS, retry_at

MOOT = frozenset({"deceased", "withdrawn"})
"""Rules after which nobody should call the patient instead: there is nothing left to say."""

NOT_COMING = MOOT | {"discharged"}
"""Rules after which nobody need be told that a session was called off: the patient will not come."""


class Status(StrEnum):
    """How far a message has come."""

    WAITING = "waiting"
    RELEASED = "released"
    SENT = "sent"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What is known of the patient when a message is decided on."""

    email: Sealed[EmailAddress] | None
    time_zone: str
    in_care: bool = True
    deceased: bool = False
    opted_out: bool = False


def message_id(template: Template, about: UUID, patient: UUID) -> UUID:
    """The id of the one message of this template about this to this patient."""
    return derive("message", template.value, about, patient)


class Message(Aggregate):
    """One message: waiting until its posting time, then decided on by rules, then in the mail."""

    category: ClassVar[str] = "message"
    patient: UUID | None = None
    template: Template = Template.WELCOME
    about: UUID | None = None
    status: Status = Status.WAITING
    posting: datetime | None = None
    appointment: datetime | None = None
    not_after: datetime | None = None
    released_at: datetime | None = None
    attempt: int = 0
    rule: str | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case MessageRequested():
                self.patient, self.template, self.about = fact.patient, fact.template, fact.about
                self.posting, self.not_after = fact.post_at, fact.not_after
                self.appointment = fact.appointment
            case MessageDeferred():
                self.posting = fact.until
            case MessageReleased():
                self.status, self.attempt = Status.RELEASED, fact.attempt
                self.released_at = self.posting
            case MessageSuppressed():
                self.status, self.rule = Status.SUPPRESSED, fact.rule
            case MessageSent():
                self.status = Status.SENT
            case MessageFailed():
                self.status = Status.WAITING if fact.retry_at else Status.FAILED
                self.posting = fact.retry_at or self.posting

    @classmethod
    def request(cls, wanted: MessageRequested, at: datetime) -> Self:
        """A message that is wanted."""
        return cls.start(wanted.message, wanted, at)

    def waits_for(self, posting: datetime) -> bool:
        """Whether the message is to be decided on at this posting time, and not yet."""
        return self.status is Status.WAITING and self.posting == posting

    @property
    def causes(self) -> tuple[UUID, ...]:
        """What it must not outlive, itself among them; a cancellation speaks of a session called off."""
        assert self.about
        return (self.id,) if self.template is Template.SESSION_CANCELLED else (self.id, self.about)

    def post(
        self,
        recipient: Recipient,
        others: tuple[Candidate, ...],
        caps: Caps,
        withdrawn: bool,
        at: datetime,
    ) -> None:
        """Decide: release the message, keep it for the patient's day, or suppress it by a rule."""
        rule = self._personal_rule(recipient) or self._own_rule(withdrawn, at)
        zone = zone_of(recipient.time_zone)
        opening = next_opening(at, zone)
        if rule is None and self.not_after and opening > self.not_after:
            rule = "too_late"
        if rule is None and opening > at:
            self.record(MessageDeferred(until=opening), at)
            return
        rule = rule or cap_rule(self.candidate(), others, caps, at, zone)
        if rule is not None:
            self.record(MessageSuppressed(rule=rule), at)
        else:
            self._release(recipient, at)

    def _personal_rule(self, recipient: Recipient) -> str | None:
        if recipient.deceased:
            return "deceased"
        if not recipient.in_care:
            return "discharged"
        if recipient.opted_out:
            return "opted_out"
        return "no_address" if recipient.email is None else None

    def _own_rule(self, withdrawn: bool, at: datetime) -> str | None:
        if withdrawn:
            return "withdrawn"
        return "too_late" if self.not_after and at > self.not_after else None

    def _release(self, recipient: Recipient, at: datetime) -> None:
        assert self.patient
        assert recipient.email
        released = MessageReleased(
            message=self.id,
            patient=self.patient,
            template=self.template,
            attempt=self.attempt + 1,
            to=recipient.email,
            time_zone=zone_of(recipient.time_zone).key,
            appointment=self.appointment,
        )
        self.record(released, at)

    def sent(self, attempt: int, message_id: str, at: datetime) -> None:
        """The mail server took it."""
        if self._in_the_mail(attempt):
            self.record(MessageSent(message_id=message_id), at)

    def failed(self, attempt: int, reason: str, final: bool, at: datetime) -> None:
        """The mail server did not take it."""
        if self._in_the_mail(attempt):
            again = retry_at(MESSAGE_WAITS, attempt, final, at)
            self.record(MessageFailed(attempt=attempt, reason=reason, retry_at=again), at)

    def _in_the_mail(self, attempt: int) -> bool:
        return self.status is Status.RELEASED and self.attempt == attempt

    def candidate(self) -> Candidate:
        """The message as the caps see it."""
        assert self.posting
        return Candidate(
            message=self.id,
            template=self.template,
            posting=self.posting,
            appointment=self.appointment,
            released_at=self.released_at,
            waiting=self.status is Status.WAITING,
        )
