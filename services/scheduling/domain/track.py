"""A track: which groups a patient of it sits in. Fed by staff alone."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import GroupAddedToTrack, TrackOpened

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.scheduling.domain.refusals import TrackDiffers


def track_id(track: str) -> UUID:
    """The id of a track, from its code."""
    return derive("track", track)


class Track(Aggregate):
    """A track of the program with its groups, in the order in which they were added."""

    category: ClassVar[str] = "track"
    opened: TrackOpened | None = None
    groups: list[UUID] = field(default_factory=list)

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case TrackOpened():
                self.opened, self.site = fact, fact.site
            case GroupAddedToTrack():
                self.groups.append(fact.group)

    @classmethod
    def open(cls, fact: TrackOpened, at: datetime) -> Self:
        """A new track."""
        return cls.start(track_id(fact.track), fact, at)

    def open_again(self, fact: TrackOpened) -> None:
        """The same track once more is no news. Raises TrackDiffers."""
        if fact != self.opened:
            raise TrackDiffers(track=fact.track)

    @property
    def particulars(self) -> TrackOpened:
        """The track as it was opened."""
        assert self.opened is not None
        return self.opened

    def add(self, group: UUID, at: datetime) -> None:
        """A group belongs to the track."""
        if group not in self.groups:
            self.record(GroupAddedToTrack(group=group), at)
