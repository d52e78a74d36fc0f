"""A placement: an episode's place in a track, from admission to discharge."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import EnrollmentRejected, GroupEnrollmentRequested, PlacementEnded

from chassis.aggregate import Aggregate


class Placement(Aggregate):
    """Which groups an episode was to have seats in. Its id is the episode's.

    Fed by admission and discharge, which are one service's events about one patient, and by staff.
    """

    category: ClassVar[str] = "placement"
    patient: UUID | None = None
    groups: tuple[UUID, ...] = ()
    rejected: str | None = None
    ended: bool = False

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case GroupEnrollmentRequested():
                self.patient, self.groups, self.rejected = fact.patient, fact.groups, None
            case EnrollmentRejected():
                self.patient, self.rejected = fact.patient, fact.reason
            case PlacementEnded():
                self.ended = True

    @classmethod
    def first(cls, fact: GroupEnrollmentRequested | EnrollmentRejected, at: datetime) -> Self:
        """A new placement, or the note that there can be none."""
        return cls.start(fact.episode, fact, at)

    def again(self, fact: GroupEnrollmentRequested | EnrollmentRejected, at: datetime) -> None:
        """A placement that was rejected is tried once more; the same answer is no news."""
        if isinstance(fact, EnrollmentRejected) and fact.reason == self.rejected:
            return
        self.record(fact, at)

    def end(self, reason: str, at: datetime) -> None:
        """The episode has no place any more."""
        if not self.ended:
            self.record(PlacementEnded(reason=reason), at)
