"""Who is placed where, who sits in which group, and who waits."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.scheduling import (
    EnrollmentEnded,
    EnrollmentRejected,
    GroupEnrollmentRequested,
    PatientEnrolledInGroup,
    PlacementEnded,
    WaitlistEntryAdded,
)

from chassis.projection import Change, Projection, Table, on

PLACEMENTS = Table(
    "placements",
    key={"episode": "uuid"},
    values={"patient": "uuid", "track": "text", "status": "text", "reason": "text", "position": "bigint"},
    indexes=("position", "patient"),
)
ROSTER = Table(
    "roster",
    key={"enrollment": "uuid"},
    values={
        "group_id": "uuid",
        "patient": "uuid",
        "episode": "uuid",
        "seat": "integer",
        "starts_on": "date",
        "ends_on": "date",
        "ended": "boolean",
        "position": "bigint",
    },
    indexes=("group_id", "patient", "position"),
)
WAITLIST = Table(
    "waitlist",
    key={"enrollment": "uuid"},
    values={
        "group_id": "uuid",
        "patient": "uuid",
        "episode": "uuid",
        "since": "timestamptz",
        "position": "bigint",
    },
    indexes=("group_id", "position"),
)


class Placements(Projection):
    """Each episode's place in a track; ``status`` is placed, rejected or ended."""

    version = 1
    tables = (PLACEMENTS,)

    @on(GroupEnrollmentRequested)
    def placed(self, event: GroupEnrollmentRequested, about: Envelope) -> Iterator[Change]:
        """Placed."""
        yield PLACEMENTS.put(
            episode=event.episode,
            patient=event.patient,
            track=event.track,
            status="placed",
            reason=None,
            position=about.position,
        )

    @on(EnrollmentRejected)
    def rejected(self, event: EnrollmentRejected, about: Envelope) -> Iterator[Change]:
        """Staff must decide."""
        yield PLACEMENTS.put(
            episode=event.episode,
            patient=event.patient,
            track=event.track,
            status="rejected",
            reason=event.reason,
            position=about.position,
        )

    @on(PlacementEnded)
    def ended(self, event: PlacementEnded, about: Envelope) -> Iterator[Change]:
        """Over."""
        episode = UUID(about.stream.removeprefix("placement-"))
        yield PLACEMENTS.put(episode=episode, status="ended", reason=event.reason)


class GroupRoster(Projection):
    """Who has, or had, which seat, from when to when."""

    version = 1
    tables = (ROSTER,)

    @on(PatientEnrolledInGroup)
    def seated(self, event: PatientEnrolledInGroup, about: Envelope) -> Iterator[Change]:
        """A seat."""
        yield ROSTER.put(
            enrollment=event.enrollment,
            group_id=event.group,
            patient=event.patient,
            episode=event.episode,
            seat=event.seat,
            starts_on=event.starts_on,
            ended=False,
            position=about.position,
        )

    @on(EnrollmentEnded)
    def left(self, event: EnrollmentEnded, about: Envelope) -> Iterator[Change]:
        """The seat is free; who only waited had none."""
        if event.ends_on:
            yield ROSTER.put(enrollment=event.enrollment, ends_on=event.ends_on, ended=True)


class Waitlist(Projection):
    """Who waits for a seat of which group."""

    version = 1
    tables = (WAITLIST,)

    @on(WaitlistEntryAdded)
    def waits(self, event: WaitlistEntryAdded, about: Envelope) -> Iterator[Change]:
        """At the end of the line."""
        yield WAITLIST.put(
            enrollment=event.enrollment,
            group_id=event.group,
            patient=event.patient,
            episode=event.episode,
            since=about.recorded_at,
            position=about.position,
        )

    @on(PatientEnrolledInGroup, EnrollmentEnded)
    def served(self, event: PatientEnrolledInGroup | EnrollmentEnded, about: Envelope) -> Iterator[Change]:
        """Waits no longer."""
        yield WAITLIST.remove(enrollment=event.enrollment)
