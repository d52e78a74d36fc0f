"""Given / when / then for a service's rules: real handlers and policies on the store in memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from caretrail_contracts.envelope import Actor, Envelope
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.command import Answer, Cause, Command, Commit, Fact, Handlers
from chassis.executor import Executor
from chassis.ids import derive
from chassis.policy import Cancel, Policies, Reaction, Timer
from chassis.projection import Projection
from chassis.refusal import Refusal, Refused
from chassis.snapshots import restored, take
from chassis.store import Origin
from tests.memory import MemoryStore, envelope_of, replayed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday."""

STAFF = Actor("staff-1", "coordinator")


class Outcome:
    """What a command led to."""

    def __init__(self, events: list[Event], refused: Refused | None = None) -> None:
        self.events, self.refused = events, refused

    def then(self, *expected: Event) -> Self:
        """Exactly these events were recorded, in this order."""
        assert self.refused is None, f"refused by {self.refused!r}"
        assert self.events == list(expected)
        return self

    def then_types(self, *expected: type[Event]) -> Self:
        """Events of exactly these types were recorded, in this order."""
        assert self.refused is None, f"refused by {self.refused!r}"
        assert [type(event) for event in self.events] == list(expected)
        return self

    def then_refused(self, by: type[Refusal]) -> Self:
        """The command was refused by this rule."""
        assert self.refused is not None, f"not refused, but {self.events}"
        assert self.refused.rule == by.__name__
        return self


class FixedClock:
    """A clock for tests: stands until it is moved."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now

    def move(self, to: datetime) -> None:
        """Set the time."""
        self._now = to


class ReplayedExecutor(Executor):
    """Replay equals live: each aggregate that a command changed is what its stored bytes fold to, and what
    a snapshot of it gives back.

    So nothing that a decision or an envelope is made of lives in memory alone, where a restart loses it.
    """

    async def execute(self, command: Command, cause: Cause) -> Answer:
        """Carry out a command, then compare."""
        answer = await super().execute(command, cause)
        for stream in answer.streams.keys() & self.kept.keys():
            live = self.kept[stream]
            facts = await self._store.read_stream(stream)
            stored = [(type(event).from_bytes(event.to_bytes(), event.version), at) for event, at in facts]
            folded = replayed(type(live), live.id, stored)
            assert held(live) == held(folded), f"{stream} is not what is stored"
            again = restored(type(live), live.id, *take(folded)[2:])
            assert held(again) == held(folded), f"{stream} is not what a snapshot keeps"
        return answer


def held(aggregate: Aggregate) -> dict[str, Any]:
    """All that an aggregate holds, but for when its newest snapshot was taken."""
    return {name: value for name, value in vars(aggregate).items() if name != "snapshot"}


class Scenario:
    """A service's rules over a log in memory, at a time that stands still until it is moved."""

    def __init__(
        self,
        handlers: Handlers,
        policies: Policies | None = None,
        projections: Iterable[Projection] = (),
        options: Any = None,
        now: datetime = NOON,
        service: str = "test",
    ) -> None:
        self.clock = FixedClock(now)
        self.origin = Origin(service)
        self.store = MemoryStore(self.origin)
        self.timers: dict[str, Timer] = {}
        self._executor = ReplayedExecutor(self.store, handlers, self.clock, options)
        self._policies, self._projections = policies or Policies(), tuple(projections)
        self._count = 0

    @property
    def now(self) -> datetime:
        """The scenario's time."""
        return self.clock.now()

    def after(self, span: timedelta) -> Self:
        """Let time pass."""
        self.clock.move(self.now + span)
        return self

    async def given(self, cls: type[Aggregate], id: UUID, *events: Event) -> Self:
        """These events stand on the aggregate's stream already."""
        stream = cls.stream_of(id)
        standing = len(await self.store.read_stream(stream))
        first: Any = events[0]
        patient = getattr(first, "patient", None)
        if standing:
            patient = replayed(cls, id, await self.store.read_stream(stream)).patient
        facts = tuple(
            Fact(stream, standing + step, event, self.now, getattr(event, "patient", patient), None)
            for step, event in enumerate(events, 1)
        )
        await self.store.append(Commit(self._cause(), self.now, facts, {stream: standing}))
        await self._project_new(len(facts))
        return self

    async def when(self, command: Command, command_id: UUID | None = None) -> Outcome:
        """Carry out a command."""
        head = await self.store.head()
        try:
            await self._executor.execute(command, self._cause(command_id))
        except Refused as refused:
            return Outcome([], refused)
        events = [record.decode() for record in await self.store.read(head, 1000)]
        await self._project_new(len(events))
        return Outcome(events)

    def know(self, *events: Event, patient: UUID | None = None, stream: str = "elsewhere-1") -> Self:
        """Other services' events reach the projections."""
        for event in events:
            self._fold(event, self.about(event, patient, stream))
        return self

    async def hears(
        self, event: Event, patient: UUID | None = None, about: Envelope | None = None
    ) -> Outcome:
        """An event reaches projections, then policies, whose commands and timers are carried out."""
        about = about or self.about(event, patient)
        self._fold(event, about)
        outcomes = [await self._react(reaction) for reaction in self.reactions(event, about)]
        return Outcome([found for outcome in outcomes for found in outcome.events])

    def reactions(self, event: Event, about: Envelope) -> list[Reaction]:
        """What the policies make of an event."""
        return [
            reaction
            for policy in self._policies.all
            if isinstance(event, policy.events)
            for reaction in policy.react(event, about)
        ]

    async def fire(self, key: str) -> Outcome:
        """The timer of this key is due."""
        timer = self.timers.pop(key)
        self.clock.move(max(self.now, timer.at))
        return await self.when(timer.command)

    def about(self, event: Event, patient: UUID | None = None, stream: str = "elsewhere-1") -> Envelope:
        """An envelope for an event of another service."""
        found = patient or getattr(event, "patient", None)
        fact = Fact(stream, 1, event, self.now, found, None)
        commit = Commit(self._cause(), self.now, (fact,), {})
        return envelope_of(Origin(event.service), commit, 0, self._count)

    async def _react(self, reaction: Reaction) -> Outcome:
        if isinstance(reaction, Timer):
            self.timers[reaction.key] = reaction
            return Outcome([])
        if isinstance(reaction, Cancel):
            self.timers.pop(reaction.key, None)
            return Outcome([])
        return await self.when(reaction)

    async def _project_new(self, count: int) -> None:
        for record in await self.store.read(await self.store.head() - count, count):
            self._fold(record.decode(), record.envelope)

    def _fold(self, event: Event, about: Envelope) -> None:
        for projection in self._projections:
            if type(event) in projection.folds:
                self.store.tables.apply(projection.fold(event, about))

    def _cause(self, command_id: UUID | None = None) -> Cause:
        self._count += 1
        found = command_id or derive("scenario", self._count)
        return Cause(command_id=found, actor=STAFF, purpose="TREAT", correlation_id=found)
