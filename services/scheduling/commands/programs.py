"""Tracks and groups: what the program offers, and when."""

from __future__ import annotations

from datetime import date, time
from uuid import UUID

from caretrail_contracts.codes import Code, Label, Npi, TimeZone
from caretrail_contracts.scheduling import GroupSeriesScheduled, TrackOpened, Weekday

from chassis.command import Command, Work
from chassis.refusal import AlreadyExists
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.calendar import meetings
from services.scheduling.domain.group import Group, group_id
from services.scheduling.domain.session import Session
from services.scheduling.domain.track import Track, track_id


class OpenTrack(Command):
    """Offer a track."""

    track: Code
    site: Code
    name: Label
    weekly_minutes: int


class ScheduleGroup(Command):
    """Offer a group of a track, with all of its meetings; ``starts`` is local time in ``time_zone``."""

    track: Code
    name: Label
    weekdays: tuple[Weekday, ...]
    starts: time
    minutes: int
    time_zone: TimeZone
    capacity: int
    facilitator: Npi
    first_on: date
    last_on: date


@handlers.handles(OpenTrack)
async def open_track(command: OpenTrack, work: Work) -> None:
    """Raises AlreadyExists."""
    await _check_new(work, Track, track_id(command.track))
    work.add(Track.open(TrackOpened(**dict(command)), work.now))


@handlers.handles(ScheduleGroup)
async def schedule_group(command: ScheduleGroup, work: Work) -> None:
    """The group and its meetings at once. Raises NotFound, AlreadyExists and what ``meetings`` raises."""
    id = group_id(command.track, command.name)
    track = await work.load(Track, track_id(command.track))
    await _check_new(work, Group, id)
    assert track.site
    series = GroupSeriesScheduled(group=id, site=track.site, **dict(command))
    work.add(Group.schedule(series, work.now))
    track.add_group(id, work.now)
    for meeting in meetings(series):
        session = work.add(Session.schedule(id, meeting, work.now))
        session.site = track.site


async def _check_new(work: Work, cls: type[Track | Group], id: UUID) -> None:
    if await work.find(cls, id):
        raise AlreadyExists(kind=cls.category, id=id)
