"""Carrying out commands: decide, commit, and decide again where somebody else was faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.aggregate import Aggregate
from chassis.clock import Clock
from chassis.command import Answer, Cause, Command, Handlers, Work
from chassis.refusal import Conflict, Refused
from chassis.store import Store

ATTEMPTS_MAX = 20
"""How often a command is decided again after conflicts; a hot stream needs some, a loop none."""

AGGREGATES_MAX = 5_000


class Kept(dict[str, Aggregate]):
    """Aggregates in memory by stream, as last committed: guesses that the version check confirms."""

    def keep(self, aggregates: Mapping[str, Aggregate]) -> None:
        """Take in what was committed; the oldest make room."""
        self.update(aggregates)
        while len(self) > AGGREGATES_MAX:
            del self[next(iter(self))]


class Executor:
    """Carries out the commands of a service; what it ``kept`` serves its readers and timers too."""

    def __init__(self, store: Store, handlers: Handlers, clock: Clock, options: Any = None) -> None:
        self._store, self._handlers, self._clock, self._options = store, handlers, clock, options
        self.kept = Kept()

    async def execute(self, command: Command, cause: Cause) -> Answer:
        """Carry out a command; sent again, it gives the first answer.

        Raises Refused where a rule says no (recorded, and given again to a repeat), KeyReused where
        the id came with another body, Reserved where a unique key is taken, Conflict when a stream
        kept changing.
        """
        for _ in range(ATTEMPTS_MAX):
            work = Work(self._store, self.kept.pop, cause, self._clock.now(), self._options)
            commit = await self._handlers.decide(command, work)
            try:
                answer = await self._store.append(commit)
            except Conflict:
                continue
            if answer.refusal is not None:
                raise Refused(**answer.refusal, command_id=cause.command_id)
            if commit.refusal is None and not answer.repeated:
                self.kept.keep(work.touched)
                await self._store.keep(work.touched.values())
            return answer
        raise Conflict(f"{type(command).__name__} was overtaken {ATTEMPTS_MAX} times")
