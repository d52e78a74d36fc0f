"""Configuration by staff: tracks, groups, and placements that no admission made."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from caretrail_contracts.codes import Code, Npi, TimeZone
from caretrail_contracts.scheduling import TrackOpened, Weekday
from caretrail_contracts.system import Place
from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from services.scheduling.commands.seats import SeatInTrack
from services.scheduling.commands.tracks import OpenTrack, ScheduleGroup
from services.scheduling.domain.group import group_id
from web.http import Accepted, Calling
from web.problems import Unreadable
from web.text import Name
from web.times import Day

router = APIRouter()

_TRACK: JsonDict = {"track": "adult-evening", "site": "main", "name": "Adults", "weekly_minutes": 540}
_GROUP: JsonDict = {
    "track": "adult-evening",
    "name": "Relapse prevention A",
    "weekdays": ["MO", "WE", "FR"],
    "starts": "18:00",
    "minutes": 180,
    "time_zone": "America/New_York",
    "capacity": 12,
    "facilitator": "1234567893",
    "first_on": "2026-03-02",
    "last_on": "2026-05-29",
}


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("an IANA time zone, such as America/New_York") from None
    return name


def _local(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("expected a local time without an offset, such as 18:00")
    return value


Near = Annotated[Day, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
"""A day on which a group of today can meet: times around it can be told in every zone."""


class TrackIn(BaseModel):
    """A track: its code, its site, and how many minutes a week its patients are to attend."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_TRACK]})

    track: Code
    site: Code
    name: Name
    weekly_minutes: Annotated[int, Field(ge=1, le=10_080)]


class GroupIn(BaseModel):
    """A group: a weekly pattern (RFC 5545 weekdays) from a first to a last date, in local time."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_GROUP]})

    track: Code
    name: Name
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)]
    starts: Annotated[time, AfterValidator(_local)]
    minutes: Annotated[int, Field(ge=1, le=720)]
    time_zone: Annotated[TimeZone, AfterValidator(_known_zone)]
    capacity: Annotated[int, Field(ge=1, le=100)]
    facilitator: Npi
    first_on: Near
    last_on: Near

    @model_validator(mode="after")
    def _in_order(self) -> GroupIn:
        if self.last_on < self.first_on:
            raise ValueError("expected last_on on or after first_on")
        if len(set(self.weekdays)) < len(self.weekdays):
            raise ValueError("expected each weekday once")
        return self


class GroupAccepted(Accepted):
    """The group's id, beside what the command led to."""

    group: UUID


class PlacementIn(BaseModel):
    """A patient's episode that is to have seats in a track's groups, from a date (today) on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "patient": "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11",
                    "episode": "7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f",
                    "starts_on": "2026-03-02",
                }
            ]
        },
    )

    patient: UUID
    episode: UUID
    starts_on: Day | None = None


@router.post("/tracks", status_code=201)
async def open_track(body: TrackIn, caller: Calling) -> Accepted:
    """Open a track; the same again is no news."""
    return await caller.execute(OpenTrack(track=TrackOpened.model_validate(dict(body))))


@router.post("/groups", status_code=201)
async def schedule_group(body: GroupIn, caller: Calling) -> GroupAccepted:
    """Schedule a group of a track and each of its sessions."""
    done = await caller.execute(ScheduleGroup.model_validate(dict(body)))
    group = group_id(body.track, body.name, body.first_on)
    return GroupAccepted(**done.model_dump(), group=group)


ADMITTED = b"select from placements where episode = %s and patient = %s"
"""Every admission leads to a placement here, if only to one that was rejected."""


@router.post("/tracks/{track}/placements", status_code=201)
async def place(track: Code, body: PlacementIn, caller: Calling) -> Accepted:
    """Place an episode by hand, such as one that was rejected while its track was not open yet."""
    if await caller.row(ADMITTED, body.episode, body.patient) is None:
        expected = "an episode of this patient that intake admitted; the admission may still be under way"
        detail = "No admission of this patient under this episode has come here."
        raise Unreadable(404, "UnknownEpisode", detail, (Place(at="/episode", expected=expected),))
    return await caller.execute(SeatInTrack.model_validate({**dict(body), "track": track}))
