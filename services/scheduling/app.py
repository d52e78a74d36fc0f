"""Scheduling, wired: its parts. It has no settings of its own."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.service import Service
from services.scheduling.api.routes import router
from services.scheduling.commands import attendance, misses, seats, sessions, tracks
from services.scheduling.commands.registry import handlers
from services.scheduling.policies import policies
from services.scheduling.projections.attendance import Presence, TodayAttendance
from services.scheduling.projections.offers import Offers, Sessions
from services.scheduling.projections.seats import GroupRoster, Placements, Waitlist

REGISTERING = (attendance, misses, seats, sessions, tracks)
"""Modules that register their handlers when they are imported."""


class SchedulingOptions(BaseSettings):
    """Nothing to be told: tracks, groups and their capacity come as events."""

    model_config = SettingsConfigDict(env_prefix="CARETRAIL_", extra="ignore", frozen=True)


PROJECTIONS = (Offers(), Sessions(), Placements(), GroupRoster(), Waitlist(), TodayAttendance(), Presence())

service = Service(
    name="scheduling",
    handlers=handlers,
    policies=policies,
    projections=PROJECTIONS,
    router=router,
    options=SchedulingOptions(),
)
