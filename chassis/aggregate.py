"""Aggregates: the library's two event classes, each with one contract event as its only field.

A subclass is a dataclass whose fields all have defaults; ``when`` folds one event into them. It holds
a category (the first part of its stream's name) and decides by calling ``record`` or ``start``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from eventsourcing.domain import Aggregate as LibraryAggregate
from eventsourcing.utils import get_topic, resolve_topic


# Outside the aggregate: nested, the library would give them the fields of its __init__.
class Started(LibraryAggregate.Created):
    """The first event of a stream."""

    fact: Event

    def mutate(self, aggregate: Any) -> Any:
        """Make the aggregate, which takes no arguments, and fold the event."""
        cls = resolve_topic(self.originator_topic)
        made = cls.__new__(cls)
        made.__base_init__(self.originator_id, self.originator_version, self.timestamp)
        made.__init__()
        made.when(self.fact)
        return made


class Recorded(LibraryAggregate.Event):
    """Every later event of a stream."""

    fact: Event

    def apply(self, aggregate: Any) -> None:
        """Fold the event."""
        aggregate.when(self.fact)


class Aggregate(LibraryAggregate):
    """A consistency boundary with a stream of its own: pure, without clock or I/O.

    ``patient`` and ``site`` go into the envelope of each of its events; ``when`` sets them. ``snapshot``
    is the version of its newest snapshot that is known, 0 where none is.
    """

    category: ClassVar[str] = ""
    snapshot = 0
    patient: UUID | None = None
    site: str | None = None

    @classmethod
    def start(cls, id: UUID, fact: Event, at: datetime) -> Self:
        """A new aggregate whose first event, true at ``at``, is ``fact``."""
        event = Started(originator_topic=get_topic(cls), **_about(id, 1, fact, at))
        made: Self = event.mutate(None)
        made.pending_events.append(event)
        return made

    def record(self, fact: Event, at: datetime) -> None:
        """Decide: the event happened at ``at``; it is folded at once and committed with the command."""
        event = Recorded(**_about(self.id, self.version + 1, fact, at))
        event.mutate(self)
        self.pending_events.append(event)

    def when(self, fact: Event) -> None:
        """Fold one event into the state."""
        raise NotImplementedError(f"{type(self).__name__} folds no {type(fact).__name__}")

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self.stream_of(self.id)

    @classmethod
    def stream_of(cls, id: UUID) -> str:
        """The name of the stream of the aggregate with this id."""
        return f"{cls.category}-{id}"

    def decided(self) -> list[tuple[Event, datetime]]:
        """Take the events decided since the last call, each with when it was true."""
        events: Any = self.collect_events()
        return [(event.fact, event.timestamp) for event in events]

    @classmethod
    def resume(cls, found: Self | None, id: UUID, facts: Iterable[tuple[Event, datetime]]) -> Self | None:
        """What was found of an aggregate, if anything, after the events that follow in its stream."""
        for version, (fact, at) in enumerate(facts, found.version + 1 if found else 1):
            if found is None:
                started = Started(originator_topic=get_topic(cls), **_about(id, version, fact, at))
                found = started.mutate(None)
            else:
                found.when(fact)
                found.version, found.modified_on = version, at
        return found


def _about(id: UUID, version: int, fact: Event, at: datetime) -> dict[str, Any]:
    """What the library keeps of an event: all at once, since its own ways to add it take thrice as long."""
    return {"originator_id": id, "originator_version": version, "timestamp": at, "fact": fact}
