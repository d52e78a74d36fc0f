"""Every event model, loaded: import this to decode any topic."""

from __future__ import annotations

from . import audit, billing, clinical, intake, notifications, scheduling, system
from .event import Event, catalogue

MODULES = (intake, clinical, scheduling, billing, notifications, audit, system)


def all_events() -> list[type[Event]]:
    """Every event model, by type name."""
    return list(catalogue())
