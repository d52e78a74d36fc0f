"""Runs of misses: two in a row, or three in 14 days, each noticed once: program policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import ConsecutiveMissesDetected

from chassis.aggregate import Aggregate

IN_A_ROW = 2
WITHIN_COUNT, WITHIN = 3, timedelta(days=14)
TWO_IN_A_ROW, THREE_IN_14_DAYS = "two-in-a-row", "three-in-14-days"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a patient at one session: when it was, and whether it was missed."""

    session: UUID
    starts_at: datetime
    missed: bool


class Misses(Aggregate):
    """The misses of an episode that were noticed already. Its id is the episode's."""

    category: ClassVar[str] = "misses"
    patient: UUID | None = None
    noticed: set[UUID] = field(default_factory=set)

    def when(self, fact: Event) -> None:
        """Fold one event."""
        if isinstance(fact, ConsecutiveMissesDetected):
            self.patient = fact.patient
            self.noticed.update(fact.sessions)

    @classmethod
    def first(cls, fact: ConsecutiveMissesDetected, at: datetime) -> Self:
        """The first that was noticed."""
        return cls.start(fact.episode, fact, at)


def detect(seen: Sequence[Seen], noticed: set[UUID]) -> tuple[str, tuple[UUID, ...]] | None:
    """The rule that a patient's misses meet and the sessions missed, or None.

    A run that was noticed is not noticed again when it grows.
    """
    fresh = [run for run in runs(seen) if not noticed.intersection(each.session for each in run)]
    for run in fresh:
        if len(run) >= IN_A_ROW:
            return TWO_IN_A_ROW, tuple(each.session for each in run)
    misses = [each for run in fresh for each in run]
    for place in range(len(misses) - WITHIN_COUNT + 1):
        window = misses[place : place + WITHIN_COUNT]
        if window[-1].starts_at - window[0].starts_at <= WITHIN:
            return THREE_IN_14_DAYS, tuple(each.session for each in window)
    return None


def runs(seen: Sequence[Seen]) -> Iterator[list[Seen]]:
    """Misses that follow each other with nothing attended between, oldest first."""
    run: list[Seen] = []
    for each in sorted(seen, key=lambda each: (each.starts_at, each.session)):
        if each.missed:
            run.append(each)
        elif run:
            yield run
            run = []
    if run:
        yield run
