"""Who was at which session, as it stands, and every word about it in order."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.scheduling import (
    AttendanceCorrected,
    SessionAttended,
    SessionMissed,
    SessionPartiallyAttended,
)

from chassis.projection import Change, Projection, Table, on

ATTENDANCE = Table(
    "attendance",
    key={"session": "uuid", "patient": "uuid"},
    values={
        "episode": "uuid",
        "group_id": "uuid",
        "status": "text",
        "minutes": "integer",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
        "cause": "text",
        "excused": "boolean",
        "reason": "text",
        "corrected": "boolean",
        "position": "bigint",
    },
    indexes=("patient", "episode", "position"),
)
PRESENCE = Table(
    "presence",
    key={"episode": "uuid", "position": "bigint"},
    values={"session": "uuid", "starts_at": "timestamptz", "missed": "boolean"},
)

ATTENDED, PARTIAL, MISSED = "attended", "partial", "missed"


class TodayAttendance(Projection):
    """What stands about each member at each session; ``status`` is attended, partial or missed."""

    version = 2
    tables = (ATTENDANCE,)

    @on(SessionAttended, SessionPartiallyAttended)
    def there(self, event: SessionAttended | SessionPartiallyAttended, about: Envelope) -> Iterator[Change]:
        """There, in whole or in part."""
        partial = isinstance(event, SessionPartiallyAttended)
        yield ATTENDANCE.put(
            session=event.session,
            patient=event.patient,
            episode=event.episode,
            group_id=event.group,
            status=PARTIAL if partial else ATTENDED,
            minutes=event.minutes,
            started_at=event.started_at,
            ended_at=event.ended_at,
            cause=event.cause if isinstance(event, SessionPartiallyAttended) else None,
            corrected=False,
            position=about.position,
        )

    @on(SessionMissed)
    def missed(self, event: SessionMissed, about: Envelope) -> Iterator[Change]:
        """Not there."""
        yield ATTENDANCE.put(
            session=event.session,
            patient=event.patient,
            episode=event.episode,
            group_id=event.group,
            status=MISSED,
            minutes=0,
            excused=event.excused,
            reason=event.reason,
            corrected=False,
            position=about.position,
        )

    @on(AttendanceCorrected)
    def corrected(self, event: AttendanceCorrected, about: Envelope) -> Iterator[Change]:
        """It was otherwise; whether in whole or in part is told from the session's length when shown."""
        yield ATTENDANCE.put(
            session=event.session,
            patient=event.patient,
            status=ATTENDED if event.minutes else MISSED,
            minutes=event.minutes,
            started_at=event.started_at,
            ended_at=event.ended_at,
            cause=event.cause,
            excused=event.excused,
            reason=event.reason,
            corrected=True,
        )


class Presence(Projection):
    """Every word about a patient's presence, in order: what misses are noticed from."""

    version = 1
    tables = (PRESENCE,)

    @on(SessionAttended, SessionPartiallyAttended, SessionMissed)
    def said(
        self, event: SessionAttended | SessionPartiallyAttended | SessionMissed, about: Envelope
    ) -> Iterator[Change]:
        """The first word about a session."""
        missed = isinstance(event, SessionMissed)
        starts_at = event.starts_at if isinstance(event, SessionMissed) else event.started_at
        yield PRESENCE.put(
            episode=event.episode,
            position=about.position,
            session=event.session,
            starts_at=starts_at,
            missed=missed,
        )

    @on(AttendanceCorrected)
    def corrected(self, event: AttendanceCorrected, about: Envelope) -> Iterator[Change]:
        """A later word."""
        yield PRESENCE.put(
            episode=event.episode,
            position=about.position,
            session=event.session,
            missed=event.minutes == 0,
        )
