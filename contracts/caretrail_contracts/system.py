"""What any service records about itself: refusals, looks, parked records, readers, rebuilds, restores."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from .event import Event, Instant, Value
from .sealed import Document, FreeText, Sealed

Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class Place(Value):
    """Where an input is wrong and what was expected there; never the value found.

    ``at`` is a JSON pointer (RFC 6901; the empty one is the whole body), a header or a place in a file.
    """

    at: Annotated[str, StringConstraints(max_length=120)]
    expected: Annotated[str, StringConstraints(max_length=400)]


class CommandRefused(Event, service="system"):
    """A rule of the domain refused a command; a repeat of the command gets the same answer."""

    command: Name
    rule: Name
    message: Annotated[str, StringConstraints(max_length=400)]
    place: Place | None = None


class InputRefused(Event, service="system"):
    """A request, file or record could not be read; the input is kept sealed, its key stays reusable."""

    door: Name
    rule: Name
    places: tuple[Place, ...]
    document: Sealed[Document] | None = None


class AccessRecorded(Event, service="system"):
    """Somebody was shown, or refused, sealed values (45 CFR 164.312(b))."""

    resource: Name
    action: Name
    kinds: tuple[Name, ...]
    granted: bool = True


class RecordParked(Event, service="system"):
    """A handler could not apply an event; later events of its key wait behind it."""

    handler: Name
    event_id: UUID | None
    key: Name
    source: Name
    position: int
    error: Annotated[str, StringConstraints(max_length=400)]


class RecordRedriven(Event, service="system"):
    """A parked event was applied after all."""

    handler: Name
    event_id: UUID | None
    key: Name
    source: Name
    position: int


class RecordDiscarded(Event, service="system"):
    """A person decided that a parked event is never applied by this handler, and why."""

    handler: Name
    event_id: UUID | None
    key: Name
    source: Name
    position: int
    error: Annotated[str, StringConstraints(max_length=400)]
    reason: Sealed[FreeText]


class ReadingPaused(Event, service="system"):
    """A person lets a service read no more of a topic (or ``store``, its own) until it is resumed."""

    topic: Name
    partitions: tuple[int, ...]
    reason: Sealed[FreeText]


class ReadingResumed(Event, service="system"):
    """A person lets a service read on."""

    topic: Name
    partitions: tuple[int, ...]


class ReadingReset(Event, service="system"):
    """A person set from where a service reads a partition; what was applied before is not applied again."""

    topic: Name
    partition: int
    offset: int
    reason: Sealed[FreeText]


class TableCompared(Value):
    """A table of a read model as it served and as it was folded anew: its rows, and a checksum of all."""

    table: Name
    served_rows: int
    served_checksum: Name
    folded_rows: int
    folded_checksum: Name


class EventPlace(Value):
    """An event by where it stands."""

    id: UUID
    type: Name
    source: Name
    stream: Name
    stream_version: int
    position: int
    recorded_at: Instant


class RowExplained(Value):
    """A row that differed, told by its columns or the side that lacks it, never by a value or its key.

    ``missing`` is ``live`` (it did not serve), ``shadow`` (no event makes it) or none. ``event`` is the first
    after which the two cannot agree; ``beyond`` the one beyond the position applied that explains it instead.
    """

    table: Name
    columns: tuple[Name, ...]
    missing: Name | None
    times: int
    event: EventPlace | None
    beyond: EventPlace | None


class DifferenceAccepted(Event, service="system"):
    """A person had a read model replaced by its rebuild though the two differed, and why.

    ``rows`` are the first that differed, not all of them.
    """

    projection: Name
    projection_version: int
    run: UUID
    tables: tuple[TableCompared, ...]
    rows: tuple[RowExplained, ...]
    reason: Sealed[FreeText]


class TopicRepublished(Event, service="system"):
    """Somebody had a service's topic published again, from the event after a position of its store on."""

    topic: Name
    after: int
    events: int


class EpochBegan(Event, service="system"):
    """The first record of an epoch, one in each partition: a source goes on from another store than before.

    What a process of a former epoch sends behind it, no reader takes; what stands before it, the store has.
    """

    epoch: int


class StoreRestored(Event, service="system"):
    """A service goes on from a store of an earlier time; what its topic held above the head was taken in.

    ``epoch`` is the one in force from then on: a new one where it is not sure that the topic lacked nothing.
    """

    head: int
    imported: int
    epoch: int
