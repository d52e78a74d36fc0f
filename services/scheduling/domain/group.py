"""A group: its seats, who holds them, and who waits for one."""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import (
    CapacityReached,
    GroupSeriesScheduled,
    SeatReleased,
    SeatTaken,
    WaitlistJoined,
    WaitlistLeft,
)

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.scheduling.domain.series import local_date


def group_id(track: str, name: str, first_on: date) -> UUID:
    """The id of a group, from its track, its name and the first day of its series."""
    return derive("group", track, name, first_on)


class Group(Aggregate):
    """A group with its seats, numbered from 1. ``waiting`` holds enrollments, the first to come first;
    ``seated`` those that have, or had, a seat.

    Its stream is fed by staff (the series) and by the seating of patients of a track.
    """

    category: ClassVar[str] = "group"
    series: GroupSeriesScheduled | None = None
    seats: dict[UUID, int] = field(default_factory=dict)
    seated: set[UUID] = field(default_factory=set)
    waiting: list[UUID] = field(default_factory=list)

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case GroupSeriesScheduled():
                self.series, self.site = fact, fact.site
            case SeatTaken():
                self.seats[fact.enrollment] = fact.seat
                self.seated.add(fact.enrollment)
                self._forget(fact.enrollment)
            case SeatReleased():
                self.seats.pop(fact.enrollment)
            case WaitlistJoined():
                self.waiting.append(fact.enrollment)
            case WaitlistLeft():
                self._forget(fact.enrollment)

    @classmethod
    def schedule(cls, fact: GroupSeriesScheduled, at: datetime) -> Self:
        """A new group."""
        return cls.start(fact.group, fact, at)

    @property
    def particulars(self) -> GroupSeriesScheduled:
        """The series as it was scheduled."""
        assert self.series is not None
        return self.series

    def on(self, at: datetime) -> date:
        """The date of an instant where the group meets."""
        return local_date(at, self.particulars.time_zone)

    def is_over(self, at: datetime) -> bool:
        """Whether the group meets no more."""
        return self.on(at) > self.particulars.last_on

    def take(self, enrollment: UUID, at: datetime) -> int | None:
        """The lowest free seat goes to the enrollment; None where others wait or no seat is free."""
        if enrollment in self.seats:
            return self.seats[enrollment]
        if self.waiting and self.waiting[0] != enrollment:
            return None
        capacity, held = self.particulars.capacity, set(self.seats.values())
        free = [seat for seat in range(1, capacity + 1) if seat not in held]
        if not free:
            return None
        self.record(SeatTaken(enrollment=enrollment, seat=free[0]), at)
        if len(free) == 1:
            self.record(CapacityReached(capacity=capacity), at)
        return free[0]

    def wait(self, enrollment: UUID, at: datetime) -> int:
        """The enrollment waits; its place in the line, from 1."""
        if enrollment not in self.waiting:
            self.record(WaitlistJoined(enrollment=enrollment), at)
        return self.waiting.index(enrollment) + 1

    def leave(self, enrollment: UUID, at: datetime) -> None:
        """The enrollment gives up its seat, or its place in the line."""
        if enrollment in self.seats:
            self.record(SeatReleased(enrollment=enrollment, seat=self.seats[enrollment]), at)
        elif enrollment in self.waiting:
            self.record(WaitlistLeft(enrollment=enrollment), at)

    def promote(self, at: datetime) -> tuple[UUID, int] | None:
        """A free seat goes to the first in the line: who and which, or None."""
        if not self.waiting or self.is_over(at):
            return None
        first = self.waiting[0]
        seat = self.take(first, at)
        return None if seat is None else (first, seat)

    def _forget(self, enrollment: UUID) -> None:
        if enrollment in self.waiting:
            self.waiting.remove(enrollment)
