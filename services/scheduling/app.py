"""Scheduling, wired: its parts."""

from __future__ import annotations

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

PROJECTIONS = (Offers(), Sessions(), Placements(), GroupRoster(), Waitlist(), TodayAttendance(), Presence())

service = Service(
    name="scheduling",
    handlers=handlers,
    policies=policies,
    projections=PROJECTIONS,
    router=router,
)
