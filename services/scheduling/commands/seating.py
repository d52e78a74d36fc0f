"""Seats: who is admitted gets one in each group of the track or waits; who leaves makes room for the next."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from caretrail_contracts.codes import Code
from caretrail_contracts.scheduling import (
    EnrollmentRejected,
    GroupEnrollmentRequested,
    PatientEnrolledInGroup,
    WaitlistEntryAdded,
)

from chassis.command import Command, Work
from services.scheduling.commands.registry import handlers
from services.scheduling.domain.enrollment import Enrollment, enrollment_id
from services.scheduling.domain.group import Group
from services.scheduling.domain.placement import NO_GROUP, UNKNOWN_TRACK, Placement
from services.scheduling.domain.track import Track, track_id


class SeatInTrack(Command):
    """A patient is to have a seat in each group of a track, from a date on."""

    patient: UUID
    episode: UUID
    track: Code
    starts_on: date | None = None


class SeatAgain(Command):
    """Staff mended what kept an episode from its seats, or the track has further groups."""

    episode: UUID


class EndPlacement(Command):
    """An episode is over: its seats go to those who wait."""

    episode: UUID
    reason: Code
    ends_on: date


@handlers.handles(SeatInTrack)
async def seat_in_track(command: SeatInTrack, work: Work) -> None:
    """Several streams at once: where another one took the last seat meanwhile, all is decided again.

    Raises PlacementIsEnded.
    """
    placement = await work.find(Placement, command.episode)
    track = await work.find(Track, track_id(command.track))
    if track is None:
        _reject(command, UNKNOWN_TRACK, placement, work)
        return
    groups = await _groups_going_on(track, command.starts_on, work)
    if not groups:
        _reject(command, NO_GROUP, placement, work)
        return
    known = placement.groups if placement else []
    wanted = [group for group in groups if group.id not in known]
    if wanted:
        _request(command, wanted, placement, work)
        for group in wanted:
            _seat(group, command, work)


@handlers.handles(SeatAgain)
async def seat_again(command: SeatAgain, work: Work) -> None:
    """Likewise, from today on. Raises NotFound, PlacementIsEnded."""
    placement = await work.load(Placement, command.episode)
    placement.check_open()
    assert placement.patient
    again = SeatInTrack(patient=placement.patient, episode=command.episode, track=placement.track)
    await seat_in_track(again, work)


async def _groups_going_on(track: Track, starts_on: date | None, work: Work) -> list[Group]:
    """The track's groups that meet from then on, in order of their ids."""
    groups = [await work.load(Group, id) for id in sorted(track.groups)]
    return [group for group in groups if group.meets_from(starts_on or group.date_of(work.now))]


def _reject(command: SeatInTrack, reason: str, placement: Placement | None, work: Work) -> None:
    fact = EnrollmentRejected(
        patient=command.patient, episode=command.episode, track=command.track, reason=reason
    )
    if placement is None:
        work.add(Placement.first(fact, work.now))
    else:
        placement.reject(fact, work.now)


def _request(command: SeatInTrack, groups: list[Group], placement: Placement | None, work: Work) -> None:
    fact = GroupEnrollmentRequested(
        patient=command.patient,
        episode=command.episode,
        track=command.track,
        groups=tuple(group.id for group in groups),
    )
    if placement is None:
        work.add(Placement.first(fact, work.now))
    else:
        placement.request(fact, work.now)


def _seat(group: Group, command: SeatInTrack, work: Work) -> None:
    """A seat, or a place in the waitlist."""
    id = enrollment_id(command.episode, group.id)
    what = {"enrollment": id, "patient": command.patient, "episode": command.episode, "group": group.id}
    seat = group.take_seat(id, work.now)
    if seat is None:
        position = group.wait(id, work.now)
        entry = WaitlistEntryAdded(**what, position=position)
        enrollment = work.add(Enrollment.first(entry, work.now))
    else:
        starts_on = command.starts_on or group.date_of(work.now)
        seated = PatientEnrolledInGroup(**what, seat=seat, starts_on=starts_on)
        enrollment = work.add(Enrollment.first(seated, work.now))
    enrollment.site = group.site


@handlers.handles(EndPlacement)
async def end_placement(command: EndPlacement, work: Work) -> None:
    """Nothing where the episode never had a place, or has none any more."""
    placement = await work.find(Placement, command.episode)
    if placement is None or placement.ended:
        return
    placement.end(command.reason, work.now)
    for id in sorted(placement.groups):
        group = await work.load(Group, id)
        await _leave(group, command, work)
        await _seat_next(group, work)


async def _leave(group: Group, command: EndPlacement, work: Work) -> None:
    enrollment = await work.load(Enrollment, enrollment_id(command.episode, group.id))
    enrollment.site = group.site
    group.release(enrollment.id, work.now)
    enrollment.end(command.reason, command.ends_on, work.now)


async def _seat_next(group: Group, work: Work) -> None:
    """The seat goes to the first who waits, at once."""
    waiting = group.next_waiting(work.now)
    if waiting is None:
        return
    enrollment = await work.load(Enrollment, waiting)
    enrollment.site = group.site
    seat = group.take_seat(waiting, work.now)
    assert seat
    enrollment.sit(seat, group.date_of(work.now), work.now)
