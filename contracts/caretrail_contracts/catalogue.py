"""Every event model, loaded: import this to decode any topic."""

from __future__ import annotations

from . import audit, billing, clinical, intake, notifications, scheduling, system
from .event import Event, catalogue

MODULES = (intake, clinical, scheduling, billing, notifications, audit, system)


SERVICES = ("intake", "clinical", "scheduling", "billing", "notifications", "audit")
"""Services with a topic of their own; ``system`` names events that each of them may record about itself."""

_OURS = frozenset(module.__name__ for module in MODULES)


def all_events() -> list[type[Event]]:
    """Every event model of the contracts, by type name; not those that somebody else registered."""
    return [event for event in catalogue() if event.__module__ in _OURS]


def name_of(event: type[Event]) -> str:
    """An event's name as files and people have it, such as ``intake.ReferralReceived``."""
    return event.type().removeprefix("caretrail.")


def events_on(service: str) -> list[type[Event]]:
    """Every event that a service's topic may carry: its own, and those of any service."""
    return [event for event in all_events() if event.service in (service, "system")]
