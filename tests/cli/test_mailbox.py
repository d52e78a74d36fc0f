"""`caretrail mailbox`: what the local mail server kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def folder(home: Path) -> Path:
    folder = home / "mailbox"
    folder.mkdir(parents=True)
    for number, subject in ((2, "A reminder"), (1, "Welcome")):
        (folder / f"{number}.eml").write_text(
            f"Message-ID: <{number}@mail.example>\nTo: p{number}@example.org\nSubject: {subject}\n"
            f"Date: Mon, 0{number} Mar 2026 14:00:00 +0000\n\nSee you on Monday at 18:00.\n"
        )
    return folder


def test_mails_are_listed_from_the_oldest(run: Run, folder: Path) -> None:
    answer = run("mailbox", columns=80)
    assert answer.stdout.index("Welcome") < answer.stdout.index("A reminder")
    found = json.loads(run("mailbox", "--json").stdout)
    assert [mail["message_id"] for mail in found] == ["<1@mail.example>", "<2@mail.example>"]


def test_one_mail_is_shown_with_its_text(run: Run, folder: Path) -> None:
    answer = run("mailbox", 2)
    assert "A reminder" in answer.stdout
    assert "See you on Monday" in answer.stdout
    assert "Welcome" not in answer.stdout


def test_no_mail_and_a_number_that_is_not_there_are_said(run: Run) -> None:
    assert "No mail yet" in run("mailbox").stdout
    assert run("mailbox", 3).exit_code == 2
