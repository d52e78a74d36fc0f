"""An enrollment: one patient's way into, through and out of one group."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import EnrollmentEnded, PatientEnrolledInGroup, WaitlistEntryAdded

from chassis.aggregate import Aggregate
from chassis.ids import derive


class Standing(StrEnum):
    """How far an enrollment came."""

    WAITING = "waiting"
    SEATED = "seated"
    ENDED = "ended"


def enrollment_id(episode: UUID, group: UUID) -> UUID:
    """The id of an episode's enrollment in a group."""
    return derive("enrollment", episode, group)


class Enrollment(Aggregate):
    """A patient's seat in a group, or the wait for one."""

    category: ClassVar[str] = "enrollment"
    patient: UUID | None = None
    episode: UUID | None = None
    group: UUID | None = None
    standing: Standing = Standing.WAITING
    starts_on: date | None = None
    ends_on: date | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case WaitlistEntryAdded():
                self.patient, self.episode, self.group = fact.patient, fact.episode, fact.group
            case PatientEnrolledInGroup():
                self.patient, self.episode, self.group = fact.patient, fact.episode, fact.group
                self.standing, self.starts_on = Standing.SEATED, fact.starts_on
            case EnrollmentEnded():
                self.standing, self.ends_on = Standing.ENDED, fact.ends_on

    @classmethod
    def first(cls, fact: PatientEnrolledInGroup | WaitlistEntryAdded, at: datetime) -> Self:
        """A new enrollment, with a seat or waiting for one."""
        return cls.start(fact.enrollment, fact, at)

    def seat(self, seat: int, on: date, at: datetime) -> None:
        """Who waited gets a seat."""
        assert self.patient is not None
        assert self.episode is not None
        assert self.group is not None
        fact = PatientEnrolledInGroup(
            enrollment=self.id,
            patient=self.patient,
            episode=self.episode,
            group=self.group,
            seat=seat,
            starts_on=on,
        )
        self.record(fact, at)

    def end(self, reason: str, on: date, at: datetime) -> None:
        """The patient leaves the group, or its waitlist."""
        if self.standing is Standing.ENDED:
            return
        ends_on = on if self.standing is Standing.SEATED else None
        self.record(EnrollmentEnded(enrollment=self.id, reason=reason, ends_on=ends_on), at)

    def covers(self, on: date) -> bool:
        """Whether the patient has, or had, a seat on a date."""
        return (
            self.starts_on is not None
            and self.starts_on <= on
            and (self.standing is not Standing.ENDED or (self.ends_on is not None and on <= self.ends_on))
        )
