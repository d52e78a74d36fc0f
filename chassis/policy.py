"""Policies: an event, of our own or another service, becomes commands and timers of our service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event

from chassis.command import Command

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Timer:
    """A command to be carried out at a time; setting the same key again moves it."""

    key: str
    at: datetime
    command: Command


@dataclass(frozen=True, slots=True)
class Cancel:
    """A timer that is no longer wanted."""

    key: str


Reaction = Command | Timer | Cancel
React = Callable[[E, Envelope], Iterable[Reaction]]


@dataclass(frozen=True, slots=True)
class Policy:
    """A pure function from an event to reactions, under the name that ids derive from."""

    name: str
    events: tuple[type[Event], ...]
    react: React[Any]


class Policies:
    """The policies of a service."""

    def __init__(self) -> None:
        self.all: list[Policy] = []

    def on(self, *events: type[E]) -> Callable[[React[E]], React[E]]:
        """Register the decorated function as a policy for these events."""

        def register(react: React[E]) -> React[E]:
            name = react.__name__
            if any(policy.name == name for policy in self.all):
                raise ValueError(f"there is a policy {name} already")
            self.all.append(Policy(name, events, react))
            return react

        return register
