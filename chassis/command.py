"""Commands and the work of deciding them: load aggregates, let them decide, commit all or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from caretrail_contracts.envelope import Actor
from caretrail_contracts.event import Event
from caretrail_contracts.system import CommandRefused, Place
from pydantic import BaseModel, ConfigDict

from chassis.aggregate import Aggregate
from chassis.refusal import AlreadyExists, NotFound, Refusal

A = TypeVar("A", bound=Aggregate)
C = TypeVar("C", bound="Command")
Row = dict[str, Any]


class Command(BaseModel):
    """Something that somebody wants done; imperative, with sealed values sealed already."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cause(NamedTuple):
    """Why a command is carried out: its id, who and what for, and what led to it.

    ``digest`` is the keyed digest of the request's body; a repeat with another one is refused.
    """

    command_id: UUID
    actor: Actor
    purpose: str
    correlation_id: UUID
    causation_id: UUID | None = None
    digest: bytes | None = None

    @classmethod
    def own(
        cls, id: UUID, service: str, role: str, correlation: UUID | None = None, causation: UUID | None = None
    ) -> Cause:
        """The cause of what a service does in its own name, as part of its operations."""
        return cls(
            command_id=id,
            actor=Actor(f"service:{service}", role),
            purpose="HOPERAT",
            correlation_id=correlation or id,
            causation_id=causation,
        )


class Fact(NamedTuple):
    """An event that a command decided, with its place in its stream."""

    stream: str
    stream_version: int
    event: Event
    occurred_at: datetime
    patient: UUID | None
    site: str | None


class Reservation(NamedTuple):
    """A key that is unique within its scope, held by one owner for ever."""

    scope: str
    key: str
    owner: UUID


class Commit(NamedTuple):
    """All that one command writes. ``expected`` holds the version each stream must still have."""

    cause: Cause
    recorded_at: datetime
    facts: tuple[Fact, ...]
    expected: dict[str, int]
    reservations: tuple[Reservation, ...] = ()
    refusal: dict[str, Any] | None = None

    @classmethod
    def note(
        cls,
        cause: Cause,
        now: datetime,
        kind: str,
        event: Event,
        patient: UUID | None = None,
        site: str | None = None,
    ) -> Commit:
        """A fact about the process itself, alone on a stream of its own, once for each command id."""
        stream = f"{kind}-{cause.command_id}"
        fact = Fact(stream, 1, event, now, patient, site)
        return cls(cause, now, (fact,), {stream: 0})

    @property
    def streams(self) -> dict[str, int]:
        """The version of each stream after the commit."""
        return {fact.stream: fact.stream_version for fact in self.facts}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command led to; the same again when it is sent again.

    ``position`` is the store's position after the command: a read may ask to wait for it.
    """

    command_id: UUID
    position: int
    streams: dict[str, int] = field(default_factory=dict)
    refusal: dict[str, Any] | None = None
    repeated: bool = False


class Desk(Protocol):
    """Where work finds what it needs: events by stream, rows of the service's own projections, owners."""

    async def load(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate with this id as its stream has it, or None."""
        ...

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table whose columns equal the key's."""
        ...

    async def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a reserved key."""
        ...


class Work:
    """The unit of work of one command. ``now`` is the time at which its events are recorded.

    ``guess`` takes an aggregate, as last committed, out of where it is kept, so that none is shared.
    Whatever is decided, be it nothing or a refusal, holds only while each stream looked at is as it was seen.
    ``options`` are the service's own settings; ``touched`` holds what was loaded or added, by stream.
    """

    def __init__(
        self, desk: Desk, guess: Callable[..., Aggregate | None], cause: Cause, now: datetime, options: Any
    ) -> None:
        self.cause, self.now, self.options = cause, now, options
        self.owner = desk.owner
        self._desk, self._guess = desk, guess
        self.touched: dict[str, Aggregate] = {}
        self._seen: dict[str, int] = {}
        self._reservations: list[Reservation] = []

    async def find(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate, or None."""
        stream = cls.stream_of(id)
        if stream not in self._seen:
            found = self._guess(stream, None)
            if found is None:
                found = await self._desk.load(cls, id)
            self._seen[stream] = found.version if found else 0
            if found:
                self.touched[stream] = found
        return self.touched.get(stream)  # type: ignore[return-value]

    async def load(self, cls: type[A], id: UUID) -> A:
        """The aggregate. Raises NotFound."""
        found = await self.find(cls, id)
        if found is None:
            raise NotFound(kind=cls.category, id=id)
        return found

    def add(self, aggregate: A) -> A:
        """Take in a new aggregate, made by ``start``. Raises AlreadyExists."""
        stream = aggregate.stream
        if stream in self.touched:
            raise AlreadyExists(kind=aggregate.category, id=aggregate.id)
        self.touched[stream] = aggregate
        self._seen[stream] = 0
        return aggregate

    def reserve(self, scope: str, key: str, owner: UUID) -> None:
        """Hold a unique key from this commit on; the commit fails with Reserved if another has it."""
        self._reservations.append(Reservation(scope, key, owner))

    async def rows(self, table: str, **key: Any) -> list[Row]:
        """Rows of one of the service's own projections: what it knew then; unlike a stream, unguarded."""
        return await self._desk.rows(table, key)

    async def row(self, table: str, **key: Any) -> Row | None:
        """One such row, or None."""
        rows = await self.rows(table, **key)
        return rows[0] if rows else None

    def commit(self) -> Commit:
        """What was decided, to be written at once."""
        facts: list[Fact] = []
        for stream, aggregate in self.touched.items():
            for version, (event, at) in enumerate(aggregate.decided(), self._seen[stream] + 1):
                patient = getattr(event, "patient", None) or aggregate.patient
                facts.append(Fact(stream, version, event, at, patient, aggregate.site))
        return Commit(self.cause, self.now, tuple(facts), dict(self._seen), tuple(self._reservations))

    def refused(self, command: Command, refusal: Refusal) -> Commit:
        """Nothing but the refusal, without the input: an auditor finds it, a repeat gets it again."""
        words = refusal.message[:400]
        place = Place(at=refusal.place, expected=words) if refusal.place else None
        event = CommandRefused(command=type(command).__name__, rule=refusal.rule, message=words, place=place)
        patient = getattr(command, "patient", None)
        answer = {"rule": refusal.rule, "message": refusal.message, "at": refusal.place}
        about = patient if isinstance(patient, UUID) else None
        note = Commit.note(self.cause, self.now, "refusal", event, about)
        return note._replace(expected=note.expected | self._seen, refusal=answer)


Handler = Callable[[C, Work], Awaitable[None]]


class Handlers:
    """The command handlers of a service, one for each type of command."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[type[Command], Handler[Any]]] = {}

    def handles(self, command: type[C]) -> Callable[[Handler[C]], Handler[C]]:
        """Register the decorated function as the handler of a command."""

        def register(handler: Handler[C]) -> Handler[C]:
            if command.__name__ in self._all:
                raise ValueError(f"{command.__name__} has a handler already")
            self._all[command.__name__] = (command, handler)
            return handler

        return register

    def of(self, command: Command) -> Handler[Any]:
        """The handler of a command."""
        return self._all[type(command).__name__][1]

    async def decide(self, command: Command, work: Work) -> Commit:
        """What a command comes to: the facts it decided, or the refusal of a rule."""
        try:
            await self.of(command)(command, work)
        except Refusal as refusal:
            return work.refused(command, refusal)
        return work.commit()

    def named(self, name: str) -> type[Command]:
        """The command type of a name, as a timer's row keeps it."""
        return self._all[name][0]
