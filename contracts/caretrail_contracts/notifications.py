"""Notifications' events: messages to patients, staff tasks, escalations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from .codes import Code, Label, TimeZone
from .event import Event, Instant
from .sealed import EmailAddress, Sealed


class Template(StrEnum):
    """The messages that patients get; their texts are neutral."""

    WELCOME = "welcome"
    SESSION_REMINDER = "session_reminder"
    MISSED_SESSION = "missed_session"
    SESSION_CANCELLED = "session_cancelled"


class TaskKind(StrEnum):
    """What staff are asked to do."""

    RISK = "risk"
    CRISIS = "crisis"
    DENIAL = "denial"
    CALL_PATIENT = "call_patient"
    OUTREACH = "outreach"
    ENROLLMENT = "enrollment"
    AUTHORIZATION = "authorization"
    REMITTANCE_REVIEW = "remittance_review"
    CLAIM_CORRECTION = "claim_correction"
    EXCHANGE = "exchange"
    CHARGE_HOLD = "charge_hold"
    MISSING_NOTE = "missing_note"
    MESSAGE_FAILED = "message_failed"


class MessageRequested(Event, service="notifications"):
    """A message to a patient is wanted; what may go out is decided at ``post_at``.

    ``about`` is the session or the episode that the message is about. ``appointment`` is the time that
    its text names. After ``not_after`` it would tell nobody anything.
    """

    message: UUID
    patient: UUID
    template: Template
    channel: Code
    about: UUID
    post_at: Instant
    appointment: Instant | None = None
    not_after: Instant | None = None


class MessageSuppressed(Event, service="notifications"):
    """A rule keeps a message from going out."""

    rule: Code


class MessageDeferred(Event, service="notifications"):
    """A message waits for the recipient's day (08:00 to 21:00 local)."""

    until: Instant


class MessageReleased(Event, service="notifications"):
    """A message may go out now, to this address, with its time told in this zone."""

    message: UUID
    patient: UUID
    template: Template
    attempt: Annotated[int, Field(ge=1)]
    to: Sealed[EmailAddress]
    time_zone: TimeZone
    appointment: Instant | None = None


class MessageSent(Event, service="notifications"):
    """The mail server took a message; its Message-ID derives from the message's id."""

    message_id: Label


class MessageFailed(Event, service="notifications"):
    """The mail server could not take a message; without ``retry_at`` it is not tried again."""

    attempt: Annotated[int, Field(ge=1)]
    reason: Code
    retry_at: Instant | None


class ContactOptedOut(Event, service="notifications"):
    """A patient wants no messages."""

    patient: UUID
    channel: Code


class ContactOptedIn(Event, service="notifications"):
    """A patient wants messages again."""

    patient: UUID
    channel: Code


class StaffTaskCreated(Event, service="notifications"):
    """Somebody of the staff must act, by ``due_at``; ``about`` is what it is about."""

    task: UUID
    kind: TaskKind
    patient: UUID | None
    about: UUID
    assignee: Code
    due_at: Instant


class StaffTaskEscalated(Event, service="notifications"):
    """Nobody acknowledged a task in time: the next on-call person has it, until ``due_at``."""

    task: UUID
    kind: TaskKind
    previous: Code
    assignee: Code
    level: Annotated[int, Field(ge=1)]
    due_at: Instant


class StaffTaskAcknowledged(Event, service="notifications"):
    """Somebody took a task on."""

    by: Code


class StaffTaskCompleted(Event, service="notifications"):
    """A task is done."""

    by: Code
    outcome: Code


class StaffNoticeReleased(Event, service="notifications"):
    """The assignee of a task is told of it by mail, at any hour."""

    notice: UUID
    task: UUID
    kind: TaskKind
    assignee: Code
    attempt: Annotated[int, Field(ge=1)]


class StaffNoticeSent(Event, service="notifications"):
    """The mail server took a notice; its Message-ID derives from the notice's id."""

    message_id: Label


class StaffNoticeFailed(Event, service="notifications"):
    """The mail server could not take a notice; the task stands all the same."""

    task: UUID
    kind: TaskKind
    attempt: Annotated[int, Field(ge=1)]
    reason: Code
    retry_at: Instant | None
