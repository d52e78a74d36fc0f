"""Seats: patients of a track get one in each of its groups, and give them up when they leave."""

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
from services.scheduling.domain.placement import Placement
from services.scheduling.domain.refusals import PlacementHasEnded
from services.scheduling.domain.track import Track, track_id

UNKNOWN_TRACK, NO_GROUPS = "unknown-track", "no-groups"


class SeatInTrack(Command):
    """A patient of an episode is to have a seat in each group of a track, from a date (today) on."""

    patient: UUID
    episode: UUID
    track: Code
    starts_on: date | None = None


@handlers.handles(SeatInTrack)
async def seat_in_track(command: SeatInTrack, work: Work) -> None:
    """Seats and waits in all groups that still meet, decided at once. Raises PlacementHasEnded."""
    placement = await work.find(Placement, command.episode)
    if placement and placement.ended:
        raise PlacementHasEnded(episode=command.episode)
    if placement and not placement.rejected:
        return
    groups, reason = await _groups(command.track, work)
    who = {"patient": command.patient, "episode": command.episode, "track": command.track}
    fact: GroupEnrollmentRequested | EnrollmentRejected
    if reason:
        fact = EnrollmentRejected.model_validate({**who, "reason": reason})
    else:
        ids = tuple(group.id for group in groups)
        fact = GroupEnrollmentRequested.model_validate({**who, "groups": ids})
    if placement:
        placement.again(fact, work.now)
    else:
        work.add(Placement.first(fact, work.now))
    for group in groups:
        _enroll(command, group, work)


async def _groups(code: str, work: Work) -> tuple[list[Group], str | None]:
    """The groups of a track that still meet, or why there are none."""
    track = await work.find(Track, track_id(code))
    if track is None:
        return [], UNKNOWN_TRACK
    groups = [await work.load(Group, id) for id in track.groups]
    groups = [group for group in groups if not group.is_over(work.now)]
    return groups, None if groups else NO_GROUPS


def _enroll(command: SeatInTrack, group: Group, work: Work) -> None:
    enrollment = enrollment_id(command.episode, group.id)
    who = {
        "enrollment": enrollment,
        "patient": command.patient,
        "episode": command.episode,
        "group": group.id,
    }
    seat = group.take(enrollment, work.now)
    fact: PatientEnrolledInGroup | WaitlistEntryAdded
    if seat is None:
        position = group.wait(enrollment, work.now)
        fact = WaitlistEntryAdded.model_validate({**who, "position": position})
    else:
        starts_on = command.starts_on or group.on(work.now)
        fact = PatientEnrolledInGroup.model_validate({**who, "seat": seat, "starts_on": starts_on})
    work.add(Enrollment.first(fact, work.now))


class EndPlacement(Command):
    """An episode has no place in its track any more; its seats end on a date (today)."""

    episode: UUID
    reason: Code
    ends_on: date | None = None


@handlers.handles(EndPlacement)
async def end_placement(command: EndPlacement, work: Work) -> None:
    """Its seats go to whoever waits first in each group, its places in line are given up."""
    placement = await work.find(Placement, command.episode)
    if placement is None or placement.ended:
        return
    placement.end(command.reason, work.now)
    for id in placement.groups:
        group = await work.load(Group, id)
        enrollment = await work.load(Enrollment, enrollment_id(command.episode, id))
        group.leave(enrollment.id, work.now)
        enrollment.end(command.reason, command.ends_on or group.on(work.now), work.now)
        await _promote(group, work)


async def _promote(group: Group, work: Work) -> None:
    promoted = group.promote(work.now)
    if promoted:
        first, seat = promoted
        enrollment = await work.load(Enrollment, first)
        enrollment.seat(seat, group.on(work.now), work.now)
