"""A session: one meeting of a group, held, called off or closed. Fed by staff alone."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import (
    GroupSeriesScheduled,
    SessionCancelled,
    SessionClosed,
    SessionScheduled,
)

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.scheduling.domain.refusals import SessionIsCancelled, SessionIsClosed, SessionNotBegun


def session_id(group: UUID, starts_at: datetime) -> UUID:
    """The id of a group's session at a time in UTC."""
    return derive("session", group, starts_at.isoformat())


class Session(Aggregate):
    """One meeting; members' facts stand on their own streams."""

    category: ClassVar[str] = "session"
    scheduled: SessionScheduled | None = None
    cancelled: bool = False
    closed: bool = False

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case SessionScheduled():
                self.scheduled, self.site = fact, fact.site
            case SessionCancelled():
                self.cancelled = True
            case SessionClosed():
                self.closed = True

    @classmethod
    def schedule(
        cls, series: GroupSeriesScheduled, starts_at: datetime, ends_at: datetime, at: datetime
    ) -> Self:
        """A new session of a group's series, in UTC."""
        id = session_id(series.group, starts_at)
        fact = SessionScheduled(
            session=id, group=series.group, site=series.site, starts_at=starts_at, ends_at=ends_at
        )
        return cls.start(id, fact, at)

    @property
    def meeting(self) -> SessionScheduled:
        """When and which group."""
        assert self.scheduled is not None
        return self.scheduled

    @property
    def minutes(self) -> int:
        """How long it is planned to last."""
        return int((self.meeting.ends_at - self.meeting.starts_at).total_seconds()) // 60

    def cancel(self, reason: str, at: datetime) -> None:
        """The program calls it off; again is no news. Raises SessionIsClosed."""
        if self.closed:
            raise SessionIsClosed(session=self.id)
        if not self.cancelled:
            self.record(SessionCancelled(session=self.id, reason=reason), at)

    def admit_facts(self, now: datetime) -> None:
        """Something about it may be recorded. Raises SessionIsCancelled, SessionNotBegun."""
        if self.cancelled:
            raise SessionIsCancelled(session=self.id)
        if now < self.meeting.starts_at:
            raise SessionNotBegun(session=self.id, starts_at=self.meeting.starts_at.isoformat())

    def close(self, present: int, unaccounted: int, at: datetime) -> None:
        """It is over. Raises SessionIsCancelled, SessionNotBegun, SessionIsClosed."""
        self.admit_facts(at)
        if self.closed:
            raise SessionIsClosed(session=self.id)
        fact = SessionClosed(
            session=self.id,
            group=self.meeting.group,
            participant_count=present,
            minutes=self.minutes,
            unaccounted=unaccounted,
        )
        self.record(fact, at)
