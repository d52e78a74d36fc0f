"""The texts of our mails: neutral, with times as their only variables, and a lint that keeps them so.

A program's name, a payer, a clinician or a topic would tell a stranger who reads over the patient's
shoulder what the patient is treated for. That somebody is a patient at all is protected (42 CFR 2.13(c)).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from zoneinfo import ZoneInfo

from caretrail_contracts.notifications import TaskKind, Template

TEXT_LENGTH_MAX = 160
"""A patient's text fits one short message, on whatever channel (47 CFR 64.1200(a)(9)(iv))."""

VARIABLES = frozenset({"date", "time"})
"""All that a patient's text may name."""

TELLING = (
    "abuse|addict|admi(t|ssion)|alcohol|anxi|appeal|assess|authoriz|behavio|benefit|care|charge|claim|clinic"
    "|clinician|counsel|coverage|crisis|depress|detox|diagnos|discharg|doctor|drug|dr\\.|enroll|group|health"
    "|hospital|icd|insur|iop|medic|mental|module|opioid|outpatient|patient|payer|phq|probation|program"
    "|psych|recover|rehab|risk|screen|session|sober|substance|suicid|therap|track|treat|wellness"
)
"""Stems of words that tell of a diagnosis, a program, a payer, a clinician or a session's topic."""

_TELLING = re.compile(rf"\b({TELLING})", re.IGNORECASE)
_LINK = re.compile(r"https?:|www\.|\b\w+\.(com|org|net|health|care)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A mail's subject and body; braces name variables."""

    subject: str
    body: str


MESSAGES = {
    Template.WELCOME: Text(
        "Welcome",
        "Welcome. We look forward to seeing you and will write before each appointment. "
        "To stop these messages, tell our office.",
    ),
    Template.SESSION_REMINDER: Text(
        "Your appointment",
        "You have an appointment at our office on {date} at {time}. To stop these messages, tell our office.",
    ),
    Template.SESSION_CANCELLED: Text(
        "Your appointment",
        "Your appointment on {date} at {time} will not take place. To stop these messages, tell our office.",
    ),
    Template.MISSED_SESSION: Text(
        "We missed you",
        "We missed you on {date}. Please call our office when you can. "
        "To stop these messages, tell our office.",
    ),
}
"""What patients read."""

NOTICE = Text(
    "A task waits for you",
    "A task of kind {kind} waits for you.\nTask: {task}\nAcknowledge it in the task list.",
)
"""What staff read: kind and id of the task; whom it concerns is shown to those who open it."""

NOTICE_VARIABLES = frozenset({"kind", "task"})


def message_text(template: Template, appointment: datetime | None, zone: ZoneInfo) -> Text:
    """A patient's message, its times told in this zone."""
    text = MESSAGES[template]
    local = appointment.astimezone(zone) if appointment else None
    times = {"date": _date(local), "time": _time(local)} if local else {}
    return Text(text.subject, text.body.format(**times))


def notice_text(kind: TaskKind, task: object) -> Text:
    """A staff member's notice of a task."""
    words = kind.value.replace("_", " ")
    return Text(NOTICE.subject, NOTICE.body.format(kind=words, task=task))


def faults(text: Text, variables: frozenset[str] = VARIABLES) -> Iterator[str]:
    """What a text says or may say that it must not, each with the place."""
    for place, words in (("subject", text.subject), ("body", text.body)):
        for _, name, _, _ in Formatter().parse(words):
            if name is not None and name not in variables:
                yield f"{place}: variable {name} is not allowed, only {', '.join(sorted(variables))}"
        for found in _TELLING.finditer(words):
            yield f"{place}: the word at {found.start()} may tell what the patient is treated for"
        for found in _LINK.finditer(words):
            yield f"{place}: the link at {found.start()} is not allowed"
        if len(words) > TEXT_LENGTH_MAX:
            yield f"{place}: {len(words)} characters, at most {TEXT_LENGTH_MAX}"


def _date(local: datetime) -> str:
    return f"{_DAYS[local.weekday()]}, {_MONTHS[local.month - 1]} {local.day}"


def _time(local: datetime) -> str:
    return f"{local.hour % 12 or 12}:{local.minute:02} {'AM' if local.hour < 12 else 'PM'}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
