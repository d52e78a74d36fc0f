"""Misses that call for outreach: two in a row, or three in 14 days; each run of them once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.scheduling import ConsecutiveMissesDetected

from chassis.aggregate import Aggregate

IN_A_ROW = 2
IN_A_WINDOW = 3
WINDOW = timedelta(days=14)
"""Two consecutive misses or three in 14 days (domain.md 2.16 and 3.8 (7))."""

TWO_IN_A_ROW, THREE_IN_14_DAYS = "two-in-a-row", "three-in-14-days"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a session was missed, excused or not."""

    session: UUID
    began_at: datetime
    missed: bool


@dataclass(frozen=True, slots=True)
class Detection:
    """Misses that call for outreach, oldest first, and the rule that found them."""

    rule: str
    sessions: tuple[UUID, ...]


def detect(outcomes: Sequence[Outcome], session: UUID, counted: set[UUID]) -> Detection | None:
    """What the miss of ``session`` amounts to, by the order in which the sessions were held.

    A miss that was part of an earlier detection (``counted``) leads to none again, nor does a longer
    run that begins with one. Excused misses count too: the patient was not there.
    """
    held = sorted(outcomes, key=lambda outcome: (outcome.began_at, str(outcome.session)))
    run = _run(held, session)
    if len(run) >= IN_A_ROW:
        found = tuple(miss.session for miss in run)
        return None if counted.intersection(found) else Detection(TWO_IN_A_ROW, found)
    return _window([miss for miss in held if miss.missed and miss.session not in counted], session)


def _run(held: Sequence[Outcome], session: UUID) -> list[Outcome]:
    """The misses in a row that the session's is one of."""
    run: list[Outcome] = []
    for outcome in held:
        if outcome.missed:
            run.append(outcome)
            continue
        if any(miss.session == session for miss in run):
            return run
        run = []
    return run if any(miss.session == session for miss in run) else []


def _window(misses: Sequence[Outcome], session: UUID) -> Detection | None:
    """Three misses within 14 days, the session's among them."""
    for last in misses:
        within = [miss for miss in misses if last.began_at - WINDOW < miss.began_at <= last.began_at]
        found = tuple(miss.session for miss in within)
        if len(found) >= IN_A_WINDOW and session in found:
            return Detection(THREE_IN_14_DAYS, found)
    return None


class Misses(Aggregate):
    """What was detected in an episode; its id is the episode's."""

    category: ClassVar[str] = "misses"
    patient: UUID | None = None
    counted: set[UUID] = field(default_factory=set)

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case ConsecutiveMissesDetected():
                self.patient = fact.patient
                self.counted |= set(fact.sessions)

    @classmethod
    def first(cls, fact: ConsecutiveMissesDetected, at: datetime) -> Self:
        """The episode's first detection."""
        return cls.start(fact.episode, fact, at)
