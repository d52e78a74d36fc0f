"""What was known before this instant: how decisions read the projections.

Facts learned at the very instant of a decision are left out. They may reach us before or after it, and
the decision must be the same; in real time nothing is ever learned at the same microsecond.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.intake import DischargeType
from caretrail_contracts.notifications import Template
from caretrail_contracts.sealed import EmailAddress, Sealed

from chassis.command import Row, Work
from services.notifications.domain.message import Recipient, Status
from services.notifications.domain.posting import Candidate
from services.notifications.domain.preferences import EMAIL, Preferences
from services.notifications.domain.quiet_hours import UNKNOWN_ZONE

AT_RISK = frozenset({RiskLevel.MODERATE.value, RiskLevel.HIGH.value})


async def at_risk(work: Work, patient: UUID) -> bool:
    """Whether the patient has an open moderate or high risk."""
    level = latest(await work.rows("risk_levels", patient=patient), work.now)
    return level is not None and level["level"] in AT_RISK


async def recipient(work: Work, patient: UUID) -> Recipient:
    """What is known of somebody who is to get a message."""
    contact = latest(await work.rows("contacts", patient=patient), work.now) or {}
    # A stream, not rows: an opt-out holds from the moment on at which it was acknowledged.
    wishes = await work.find(Preferences, patient)
    episodes = await work.rows("episodes", patient=patient)
    email = contact.get("email")
    return Recipient(
        email=None if email is None else Sealed[EmailAddress].model_validate(email),
        time_zone=contact.get("time_zone") or UNKNOWN_ZONE,
        in_care=not episodes or any(not _ended(episode, work.now) for episode in episodes),
        deceased=any(_deceased(episode, work.now) for episode in episodes),
        opted_out=wishes is not None and EMAIL in wishes.refused,
    )


async def withdrawn(work: Work, *subjects: UUID) -> bool:
    """Whether one of these messages and sessions was taken back."""
    rows = [await work.row("withdrawn", subject=subject) for subject in subjects]
    return any(row is not None and row["since"] < work.now for row in rows)


async def members(work: Work, group: UUID) -> list[UUID]:
    """Who has a seat in a group, in order of their ids."""
    seats = await work.rows("seats", session_group=group)
    seated = {
        seat["patient"]
        for seat in seats
        if seat["patient"] and seat["since"] < work.now and not _ended(seat, work.now)
    }
    return sorted(seated)


CONTENDING = frozenset({Status.WAITING.value, Status.RELEASED.value, Status.SENT.value})


async def other_messages(work: Work, patient: UUID, but: UUID) -> tuple[Candidate, ...]:
    """The patient's other messages that were, or may still be, sent."""
    rows = await work.rows("messages", patient=patient)
    return tuple(_candidate(row) for row in rows if row["message"] != but and row["status"] in CONTENDING)


def latest(rows: Iterable[Row], now: datetime) -> Row | None:
    """The newest of these rows that was known before now."""
    known = [row for row in rows if row["since"] < now]
    return max(known, key=lambda row: int(row["position"]), default=None)


def _candidate(row: Row) -> Candidate:
    return Candidate(
        message=row["message"],
        template=Template(row["template"]),
        posting=row["posting"],
        appointment=row["appointment"],
        released_at=row["released_at"],
        waiting=row["status"] == Status.WAITING.value,
    )


def _ended(row: Row, now: datetime) -> bool:
    return row["until"] is not None and row["until"] < now


def _deceased(episode: Row, now: datetime) -> bool:
    return _ended(episode, now) and episode["discharge_type"] == DischargeType.DECEASED.value
