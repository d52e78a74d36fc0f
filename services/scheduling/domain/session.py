"""A meeting of a group: scheduled, then closed or cancelled."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import SessionCancelled, SessionClosed, SessionScheduled

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.scheduling.domain.calendar import Meeting
from services.scheduling.domain.refusals import SessionIsCancelled, SessionIsClosed, SessionNotBegun


def session_id(group: UUID, starts_at: datetime) -> UUID:
    """The id of a group's meeting; ``starts_at`` in UTC."""
    return derive("session", group, starts_at)


class SessionStatus(StrEnum):
    """How far a meeting came."""

    SCHEDULED = "scheduled"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Session(Aggregate):
    """Holds when it is and how it ended; each member's facts stand on streams of their own."""

    category: ClassVar[str] = "session"
    group: UUID | None = None
    starts_at: datetime = datetime.min
    ends_at: datetime = datetime.min
    status: SessionStatus = SessionStatus.SCHEDULED

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case SessionScheduled():
                self.group, self.starts_at, self.ends_at = fact.group, fact.starts_at, fact.ends_at
            case SessionCancelled():
                self.status = SessionStatus.CANCELLED
            case SessionClosed():
                self.status = SessionStatus.CLOSED

    @classmethod
    def schedule(cls, group: UUID, meeting: Meeting, at: datetime) -> Self:
        """A new meeting."""
        starts_at, ends_at = meeting
        id = session_id(group, starts_at)
        return cls.start(
            id, SessionScheduled(session=id, group=group, starts_at=starts_at, ends_at=ends_at), at
        )

    @property
    def minutes(self) -> int:
        """How long it is."""
        return int((self.ends_at - self.starts_at).total_seconds() // 60)

    def cancel(self, reason: str, at: datetime) -> None:
        """Call it off. Raises SessionIsClosed, SessionIsCancelled."""
        self.check_held()
        self._check_open()
        self.record(SessionCancelled(session=self.id, reason=reason), at)

    def close(self, participants: int, unaccounted: int, at: datetime) -> None:
        """It is over. Raises SessionIsClosed, SessionIsCancelled, SessionNotBegun."""
        self.check_begun(at)
        self._check_open()
        assert self.group
        closed = SessionClosed(
            session=self.id,
            group=self.group,
            participant_count=participants,
            minutes=self.minutes,
            unaccounted=unaccounted,
        )
        self.record(closed, at)

    def check_held(self) -> None:
        """Raises SessionIsCancelled."""
        if self.status is SessionStatus.CANCELLED:
            raise SessionIsCancelled(session=self.id)

    def check_begun(self, at: datetime) -> None:
        """Raises SessionIsCancelled, SessionNotBegun."""
        self.check_held()
        if at < self.starts_at:
            raise SessionNotBegun(session=self.id, starts_at=self.starts_at.isoformat())

    def _check_open(self) -> None:
        if self.status is SessionStatus.CLOSED:
            raise SessionIsClosed(session=self.id)
