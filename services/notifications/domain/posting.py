"""When messages are decided on, and how many a patient may get.

What is wanted of one patient within a moment is decided together, a moment later, in order of rank: so
who gets the last place under a cap never depends on which cause was noticed first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from caretrail_contracts.notifications import Template

SETTLING = timedelta(seconds=1)
"""Between the last request and the decision at least: the time in which requests become known."""

WEEK = timedelta(days=7)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RANKS = {
    Template.SESSION_CANCELLED: 0,
    Template.MISSED_SESSION: 1,
    Template.WELCOME: 2,
    Template.SESSION_REMINDER: 3,
}
"""Program policy, under caps that leave no room for all: who need not come is told first, and outreach
outranks reminders."""

PRESSING = frozenset({Template.SESSION_CANCELLED, Template.MISSED_SESSION})

KEPT_FOR_PRESSING = 1
"""Places of a week's cap that only pressing messages may take: they outrank a second reminder even when
they come after it."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Messages that a patient may get on a local day and in seven days (47 CFR 64.1200(a)(9)(iv))."""

    a_day: int = 1
    a_week: int = 3

    def week_of(self, template: Template) -> int:
        """How many messages may have gone out in seven days when one of this template goes."""
        kept = 0 if template in PRESSING else KEPT_FOR_PRESSING
        return max(self.a_week - kept, min(self.a_week, 1))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message as the caps see it. ``released_at`` is None where it never was released.

    ``waiting`` means that it is not decided on, or is to be tried again.
    """

    message: UUID
    template: Template
    posting: datetime
    appointment: datetime | None = None
    released_at: datetime | None = None
    waiting: bool = True

    @property
    def rank(self) -> tuple[bool, int, datetime, str]:
        """Lower goes first: what has its place already, then by template, appointment and id."""
        return (
            self.released_at is None,
            RANKS[self.template],
            self.appointment or EPOCH,
            str(self.message),
        )


def posting_time(at: datetime, every: timedelta) -> datetime:
    """When a message that is wanted at ``at`` is decided on: the next full ``every``, settled."""
    steps = -((EPOCH - at - SETTLING) // every)
    return EPOCH + steps * every


def cap_rule(
    mine: Candidate, others: Iterable[Candidate], caps: Caps, now: datetime, zone: ZoneInfo
) -> str | None:
    """The cap that keeps a message back at its posting time, None where there is room.

    ``others`` are the patient's other messages that were or may be sent. A message that is tried again
    has its place already.
    """
    if mine.released_at is not None:
        return None
    found = tuple(others)
    ahead = sum(1 for other in found if _contends(other, mine, now) and other.rank < mine.rank)
    past = [sent for other in found if (sent := _sent(other, mine, now)) and now - sent < WEEK]
    today = sum(1 for sent in past if _date(sent, zone) == _date(now, zone))
    if today + ahead >= caps.a_day:
        return "daily_cap"
    if len(past) + ahead >= caps.week_of(mine.template):
        return "weekly_cap"
    return None


def _contends(other: Candidate, mine: Candidate, now: datetime) -> bool:
    """Decided on in the same moment as mine, before or after it."""
    return other.posting == mine.posting or (other.waiting and other.posting <= now)


def _sent(other: Candidate, mine: Candidate, now: datetime) -> datetime | None:
    """When another message took its place under the caps, in an earlier moment than this."""
    if other.released_at is None or _contends(other, mine, now):
        return None
    return other.released_at


def _date(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()
