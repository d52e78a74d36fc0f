"""Configuration by staff: tracks, and groups with all their sessions."""

from __future__ import annotations

from datetime import date, time

from caretrail_contracts.codes import Code, Label, Minutes, Npi, TimeZone
from caretrail_contracts.scheduling import GroupSeriesScheduled, TrackOpened, Weekday

from chassis.command import Command, Work
from chassis.refusal import AlreadyExists
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.group import Group, group_id
from services.scheduling.domain.refusals import SeriesEmpty, SeriesTooLong
from services.scheduling.domain.series import SESSIONS_MAX, dates, meetings
from services.scheduling.domain.session import Session
from services.scheduling.domain.track import Track, track_id


class OpenTrack(Command):
    """A track of the program is to be there."""

    track: TrackOpened


@handlers.handles(OpenTrack)
async def open_track(command: OpenTrack, work: Work) -> None:
    """Open it; the same again is no news. Raises TrackDiffers."""
    known = await work.find(Track, track_id(command.track.track))
    if known:
        known.open_again(command.track)
    else:
        work.add(Track.open(command.track, work.now))


class ScheduleGroup(Command):
    """A group of a track with its weekly pattern; ``starts`` is local time in ``time_zone``."""

    track: Code
    name: Label
    weekdays: tuple[Weekday, ...]
    starts: time
    minutes: Minutes
    time_zone: TimeZone
    capacity: int
    facilitator: Npi
    first_on: date
    last_on: date


@handlers.handles(ScheduleGroup)
async def schedule_group(command: ScheduleGroup, work: Work) -> None:
    """The group, its place in the track, and each of its sessions.

    Patients who were placed in the track before get no seat in it. Raises NotFound, AlreadyExists,
    SeriesEmpty, SeriesTooLong.
    """
    track = await work.load(Track, track_id(command.track))
    id = group_id(command.track, command.name, command.first_on)
    series = GroupSeriesScheduled.model_validate(
        {**dict(command), "group": id, "site": track.particulars.site}
    )
    check_length(series)
    if await work.find(Group, series.group):
        raise AlreadyExists(kind=Group.category, id=series.group)
    track.add(series.group, work.now)
    work.add(Group.schedule(series, work.now))
    for starts_at, ends_at in meetings(series):
        work.add(Session.schedule(series, starts_at, ends_at, work.now))


def check_length(series: GroupSeriesScheduled) -> None:
    """Whether a series is one. Raises SeriesEmpty, SeriesTooLong."""
    count = 0
    for count, _ in enumerate(dates(series), 1):
        if count > SESSIONS_MAX:
            raise SeriesTooLong(sessions_max=SESSIONS_MAX)
    if not count:
        raise SeriesEmpty(first_on=series.first_on, last_on=series.last_on)
