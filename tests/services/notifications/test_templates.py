"""Texts tell nobody anything: the lint passes over all of them, and catches what it is there for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from caretrail_contracts.notifications import TaskKind, Template

from services.notifications.domain.templates import (
    MESSAGES,
    NOTICE,
    NOTICE_VARIABLES,
    Text,
    faults,
    message_text,
    notice_text,
)

APPOINTMENT = datetime(2026, 3, 3, 19, 5, tzinfo=UTC)


@pytest.mark.parametrize("template", Template)
def test_every_text_is_neutral_and_short(template: Template) -> None:
    assert list(faults(MESSAGES[template])) == []
    filled = message_text(template, APPOINTMENT, ZoneInfo("America/New_York"))
    assert list(faults(filled)) == []


@pytest.mark.parametrize("kind", TaskKind)
def test_a_notice_says_kind_and_id_alone(kind: TaskKind) -> None:
    assert list(faults(NOTICE, NOTICE_VARIABLES)) == []
    text = notice_text(kind, "the-id")
    assert kind.value.replace("_", " ") in text.body
    assert "the-id" in text.body


def test_times_are_told_in_the_recipients_zone() -> None:
    text = message_text(Template.SESSION_REMINDER, APPOINTMENT, ZoneInfo("America/New_York"))
    assert "on Tuesday, March 3 at 2:05 PM." in text.body
    text = message_text(Template.SESSION_REMINDER, APPOINTMENT, ZoneInfo("Asia/Tokyo"))
    assert "on Wednesday, March 4 at 4:05 AM." in text.body


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (Text("Hello {name}", "x"), "subject: variable name is not allowed"),
        (Text("x", "Your depression group"), "body: the word at 5"),
        (Text("x", "Dr. Smith"), "body: the word at 0"),
        (Text("x", "See www.example"), "body: the link at 4"),
        (Text("x", "y" * 161), "body: 161 characters"),
    ],
)
def test_the_lint_catches(text: Text, said: str) -> None:
    assert any(fault.startswith(said) for fault in faults(text))
