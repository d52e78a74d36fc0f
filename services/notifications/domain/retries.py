"""When a mail is tried again: soon for staff, patiently for patients, and never without an end."""

from __future__ import annotations

from datetime import datetime, timedelta

ATTEMPTS_MAX = 5
"""After as many failures a person must act."""

MESSAGE_WAITS = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
"""After a patient's message failed once, twice and so on: a mail server is mended within hours."""

NOTICE_WAITS = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4), timedelta(minutes=8))
"""Likewise for staff, whose urgent tasks go to the next person after a quarter of an hour."""


def retry_at(waits: tuple[timedelta, ...], attempt: int, final: bool, at: datetime) -> datetime | None:
    """When to try again after this attempt failed; None where nothing would help or enough was tried."""
    if final or attempt >= ATTEMPTS_MAX:
        return None
    return at + waits[attempt - 1]
