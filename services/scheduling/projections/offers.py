"""What the program offers: tracks, groups, sessions."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.scheduling import (
    GroupSeriesScheduled,
    SessionCancelled,
    SessionClosed,
    SessionScheduled,
    TrackOpened,
)

from chassis.projection import Change, Projection, Table, on

TRACKS = Table(
    "tracks",
    key={"track": "text"},
    values={"site": "text", "name": "text", "weekly_minutes": "integer", "position": "bigint"},
    indexes=("position",),
)
GROUPS = Table(
    "session_groups",
    key={"group_id": "uuid"},
    values={
        "track": "text",
        "site": "text",
        "name": "text",
        "minutes": "integer",
        "time_zone": "text",
        "capacity": "integer",
        "facilitator": "text",
        "first_on": "date",
        "last_on": "date",
        "position": "bigint",
    },
    indexes=("position",),
)
SESSIONS = Table(
    "sessions",
    key={"session": "uuid"},
    values={
        "group_id": "uuid",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "status": "text",
        "reason": "text",
        "participant_count": "integer",
        "unaccounted": "integer",
        "position": "bigint",
    },
    indexes=("group_id", "starts_at", "position"),
)


class Offers(Projection):
    """Tracks and their groups."""

    version = 1
    tables = (TRACKS, GROUPS)

    @on(TrackOpened)
    def opened(self, event: TrackOpened, about: Envelope) -> Iterator[Change]:
        """A track."""
        yield TRACKS.put(**dict(event), position=about.position)

    @on(GroupSeriesScheduled)
    def scheduled(self, event: GroupSeriesScheduled, about: Envelope) -> Iterator[Change]:
        """A group."""
        shown = {name: value for name, value in dict(event).items() if name in GROUPS.columns}
        yield GROUPS.put(group_id=event.group, **shown, position=about.position)


class Sessions(Projection):
    """Each meeting and what became of it; ``status`` is scheduled, cancelled or closed."""

    version = 1
    tables = (SESSIONS,)

    @on(SessionScheduled)
    def scheduled(self, event: SessionScheduled, about: Envelope) -> Iterator[Change]:
        """A meeting."""
        yield SESSIONS.put(
            session=event.session,
            group_id=event.group,
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            status="scheduled",
            position=about.position,
        )

    @on(SessionCancelled)
    def cancelled(self, event: SessionCancelled, about: Envelope) -> Iterator[Change]:
        """Called off."""
        yield SESSIONS.put(session=event.session, status="cancelled", reason=event.reason)

    @on(SessionClosed)
    def closed(self, event: SessionClosed, about: Envelope) -> Iterator[Change]:
        """Over."""
        yield SESSIONS.put(
            session=event.session,
            status="closed",
            participant_count=event.participant_count,
            unaccounted=event.unaccounted,
        )
