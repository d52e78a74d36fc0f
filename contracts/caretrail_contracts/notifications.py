"""Notifications' events: messages to patients, staff tasks, escalations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from .codes import Code, Label
from .event import Event, Instant


class Template(StrEnum):
    """The messages that patients get; their texts are neutral."""

    WELCOME = "welcome"
    SESSION_REMINDER = "session_reminder"
    MISSED_SESSION = "missed_session"


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
    MESSAGE_FAILED = "message_failed"


class MessageRequested(Event, service="notifications"):
    """A message to a patient is wanted."""

    message: UUID
    patient: UUID
    template: Template
    channel: Code
    about: UUID
    not_after: Instant | None = None


class MessageSuppressed(Event, service="notifications"):
    """A rule keeps a message from going out."""

    rule: Code


class MessageDeferred(Event, service="notifications"):
    """A message waits for the recipient's day (08:00 to 21:00 local)."""

    until: Instant


class MessageReleased(Event, service="notifications"):
    """A message may go out now."""

    message: UUID
    patient: UUID
    template: Template


class MessageSent(Event, service="notifications"):
    """The mail server took a message; its Message-ID derives from the message's id."""

    message_id: Label


class MessageFailed(Event, service="notifications"):
    """The mail server could not take a message."""

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
    """Somebody of the staff must act."""

    task: UUID
    kind: TaskKind
    patient: UUID | None
    about: UUID
    assignee: Code
    due_at: Instant


class StaffTaskEscalated(Event, service="notifications"):
    """Nobody acknowledged a task in time: the next on-call person has it."""

    previous: Code
    assignee: Code
    level: Annotated[int, Field(ge=1)]


class StaffTaskAcknowledged(Event, service="notifications"):
    """Somebody took a task on."""

    by: Code


class StaffTaskCompleted(Event, service="notifications"):
    """A task is done."""

    by: Code
    outcome: Code
