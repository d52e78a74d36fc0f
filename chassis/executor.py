"""Carrying out commands: decide, commit, and decide again where somebody else was faster."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.aggregate import Aggregate
from chassis.clock import Clock
from chassis.command import A, Answer, Cause, Command, Commit, Handlers, Row, Work
from chassis.refusal import Conflict, Refusal, Refused
from chassis.refused import refusal_commit
from chassis.store import Store

ATTEMPTS_MAX = 20
"""How often a command is decided again after conflicts; a hot stream needs some, a loop none."""

AGGREGATES_MAX = 5_000
"""Aggregates kept in memory, as guesses that the version check confirms."""


class CachedDesk:
    """Serves aggregates from memory or the store. One in use is taken out, so that none is shared."""

    def __init__(self, store: Store, options: Any = None) -> None:
        self._store, self.options = store, options
        self._kept: dict[str, Aggregate] = {}

    async def aggregate(self, cls: type[A], id: UUID) -> A | None:
        """The aggregate as last seen, or as the store has it."""
        kept = self._kept.pop(cls.stream_of(id), None)
        if kept is not None:
            return kept  # type: ignore[return-value]
        facts = await self._store.read_stream(cls.stream_of(id))
        return cls.replay(id, facts) if facts else None

    async def rows(self, table: str, key: dict[str, Any]) -> list[Row]:
        """Rows of a projection's table."""
        return await self._store.rows(table, key)

    async def owner(self, scope: str, key: str) -> UUID | None:
        """Who holds a reserved key."""
        return await self._store.owner(scope, key)

    def keep(self, aggregates: dict[str, Aggregate]) -> None:
        """Remember aggregates as they were committed."""
        for stream, aggregate in aggregates.items():
            self._kept[stream] = aggregate
        while len(self._kept) > AGGREGATES_MAX:
            del self._kept[next(iter(self._kept))]


class Executor:
    """Carries out the commands of a service."""

    def __init__(self, store: Store, handlers: Handlers, clock: Clock, options: Any = None) -> None:
        self._store, self._handlers, self._clock = store, handlers, clock
        self._desk = CachedDesk(store, options)

    async def execute(self, command: Command, cause: Cause) -> Answer:
        """Carry out a command; sent again, it gives the first answer.

        Raises Refused where a rule says no (recorded, and given again to a repeat), KeyReused where
        the id came with another body, Reserved where a unique key is taken, Conflict when a stream
        kept changing.
        """
        for _ in range(ATTEMPTS_MAX):
            work = Work(self._desk, cause, self._clock.now())
            commit = await self._decide(command, work)
            try:
                answer = await self._store.append(commit)
            except Conflict:
                continue
            if commit.refusal is None and not answer.repeated:
                self._desk.keep(work.touched())
            return _answered(answer)
        raise Conflict(f"{type(command).__name__} was overtaken {ATTEMPTS_MAX} times")

    async def _decide(self, command: Command, work: Work) -> Commit:
        try:
            await self._handlers.of(command)(command, work)
        except Refusal as refusal:
            return refusal_commit(command, refusal, work.cause, work.now)
        return work.commit()


def _answered(answer: Answer) -> Answer:
    if answer.refusal is not None:
        raise Refused(**answer.refusal)
    return answer
