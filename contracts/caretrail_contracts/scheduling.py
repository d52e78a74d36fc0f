"""Scheduling's events: tracks, groups, seats, sessions, attendance."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from .codes import Code, Label, Minutes, Npi, TimeZone
from .event import Event, Instant


class Weekday(StrEnum):
    """Days of a weekly pattern (RFC 5545 BYDAY)."""

    MO = "MO"
    TU = "TU"
    WE = "WE"
    TH = "TH"
    FR = "FR"
    SA = "SA"
    SU = "SU"


class TrackOpened(Event, service="scheduling"):
    """A track of the program, such as adults in the evening."""

    track: Code
    site: Code
    name: Label
    weekly_minutes: Annotated[int, Field(ge=1, le=10_080)]


class GroupSeriesScheduled(Event, service="scheduling"):
    """A group of a track with its weekly pattern and its capacity."""

    group: UUID
    track: Code
    site: Code
    name: Label
    weekdays: tuple[Weekday, ...]
    starts: time
    minutes: Minutes
    time_zone: TimeZone
    capacity: Annotated[int, Field(ge=1, le=100)]
    facilitator: Npi
    first_on: date
    last_on: date


class GroupAddedToTrack(Event, service="scheduling"):
    """A group belongs to a track: whoever is placed in the track gets a seat in it."""

    group: UUID


class SeatTaken(Event, service="scheduling"):
    """A seat of the group went to an enrollment; it waits no longer, if it did."""

    enrollment: UUID
    seat: Annotated[int, Field(ge=1)]


class SeatReleased(Event, service="scheduling"):
    """A seat of the group is free again."""

    enrollment: UUID
    seat: Annotated[int, Field(ge=1)]


class CapacityReached(Event, service="scheduling"):
    """The group's last seat was taken."""

    capacity: int


class WaitlistJoined(Event, service="scheduling"):
    """An enrollment waits for a seat of the group."""

    enrollment: UUID


class WaitlistLeft(Event, service="scheduling"):
    """An enrollment waits no longer and got no seat."""

    enrollment: UUID


class GroupEnrollmentRequested(Event, service="scheduling"):
    """A patient of an episode is to have a seat in these groups of a track."""

    patient: UUID
    episode: UUID
    track: Code
    groups: tuple[UUID, ...]


class PlacementEnded(Event, service="scheduling"):
    """An episode has no place in its track any more; its seats are released."""

    reason: Code


class PatientEnrolledInGroup(Event, service="scheduling"):
    """A patient has a seat in a group, from a date in the group's time zone on."""

    enrollment: UUID
    patient: UUID
    episode: UUID
    group: UUID
    seat: int
    starts_on: date | None = None


class WaitlistEntryAdded(Event, service="scheduling"):
    """The group is full: the patient waits for a seat."""

    enrollment: UUID
    patient: UUID
    episode: UUID
    group: UUID
    position: Annotated[int, Field(ge=1)]


class EnrollmentRejected(Event, service="scheduling"):
    """A patient could not be enrolled at all; staff decide what to do."""

    patient: UUID
    episode: UUID
    track: Code
    reason: Code


class EnrollmentEnded(Event, service="scheduling"):
    """A patient left a group or its waitlist; ``ends_on`` is the last date of a seat, None of a wait."""

    enrollment: UUID
    reason: Code
    ends_on: date | None = None


class SessionScheduled(Event, service="scheduling"):
    """One meeting of a group."""

    session: UUID
    group: UUID
    site: Code
    starts_at: Instant
    ends_at: Instant


class SessionCancelled(Event, service="scheduling"):
    """The program called a meeting off."""

    session: UUID
    reason: Code


class SessionClosed(Event, service="scheduling"):
    """A meeting is over; each member's facts stand on their own streams.

    ``participant_count`` counts who was there, in whole or in part; ``unaccounted`` counts members
    with a seat of whom nothing was recorded until then.
    """

    session: UUID
    group: UUID
    participant_count: Annotated[int, Field(ge=0)]
    minutes: Minutes
    unaccounted: Annotated[int, Field(ge=0)] = 0


class Attended(Event):
    """What a member's attendance says: from when to when, and the minutes between."""

    patient: UUID
    episode: UUID
    session: UUID
    group: UUID
    started_at: Instant
    ended_at: Instant
    minutes: Minutes


class SessionAttended(Attended, service="scheduling"):
    """A member was there for the whole session."""


class SessionPartiallyAttended(Attended, service="scheduling"):
    """A member came late or left early."""

    cause: Code


class SessionMissed(Event, service="scheduling"):
    """A member was not there."""

    patient: UUID
    episode: UUID
    session: UUID
    group: UUID
    starts_at: Instant
    excused: bool
    reason: Code | None = None


class AttendanceCorrected(Event, service="scheduling"):
    """An attendance was recorded wrongly; these are the facts. Zero minutes means a miss.

    ``excused`` tells of a miss, and is null where somebody was there; ``cause`` says why somebody missed it
    or was there in part, where that was said; ``reason`` is why the record was wrong.
    """

    patient: UUID
    episode: UUID
    session: UUID
    previous_minutes: Minutes
    minutes: Minutes
    started_at: Instant | None
    ended_at: Instant | None
    excused: bool | None = None
    cause: Code | None = None
    reason: Code
    approver: Code


class ConsecutiveMissesDetected(Event, service="scheduling"):
    """Two misses in a row, or three in 14 days: outreach is due by program policy.

    ``sessions`` are the missed ones, oldest first; none of them leads to another detection.
    """

    patient: UUID
    episode: UUID
    count: Annotated[int, Field(ge=2)]
    rule: Code
    sessions: tuple[UUID, ...] = ()
