"""A service, declared: what it decides, how it reacts, what it shows, which outside it touches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from fastapi import APIRouter

from chassis.command import Command, Handlers
from chassis.office import AdapterOffice
from chassis.policy import Policies, Policy
from chassis.projection import Archive, Projection


@dataclass(frozen=True, slots=True)
class Effect:
    """Something done to the outside because of an own event: at least once, recorded once.

    It begins with what is recorded once a process knows it, by its name, which is for ever.

    ``act`` returns the command that records the outcome; what it raises is retried with back-off, and the
    record parked after some attempts, unless it is of the surroundings: a lost connection, an OSError.
    """

    name: str
    event: type[Event]
    act: Callable[[Any, Envelope, AdapterOffice], Awaitable[Command | None]]


@dataclass(frozen=True, slots=True)
class Watch:
    """Something outside that is looked at every so often, by one process at a time.

    ``look`` takes in what is there and returns how many items are still unhandled.
    """

    name: str
    every_s: float
    look: Callable[[AdapterOffice], Awaitable[int]]


@dataclass(frozen=True)
class Service:
    """One of the services."""

    name: str
    handlers: Handlers
    policies: Policies
    projections: tuple[Projection, ...] = ()
    archives: tuple[Archive, ...] = ()
    router: APIRouter | None = None
    effects: tuple[Effect, ...] = ()
    watches: tuple[Watch, ...] = ()
    options: Any = None

    def sources(self) -> tuple[str, ...]:
        """The other services, in order, whose events this one's handlers want."""
        wanted = {event.service for projection in self.projections for event in projection.folds}
        wanted |= {event.service for policy in self.policies.all for event in policy.events}
        wanted |= {name for archive in self.archives for name in archive.services}
        own = set() if any(self.name in archive.services for archive in self.archives) else {self.name}
        return tuple(sorted(wanted - own - {"system"}))

    def folding(self, event: type[Event]) -> list[Projection]:
        """The projections that fold an event."""
        return [projection for projection in self.projections if event in projection.folds]

    def versions(self) -> list[str]:
        """Each projection with its version, as those who fold are known by."""
        return [f"{projection.name()}:{projection.version}" for projection in self.projections]

    def reacting(self, event: type[Event]) -> list[Policy]:
        """The policies that react to an event."""
        return [policy for policy in self.policies.all if event in policy.events]

    def acting(self, event: str) -> list[Effect]:
        """The effects of a type of event."""
        return [effect for effect in self.effects if effect.event.type() == event]
