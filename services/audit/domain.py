"""What the audit decides: whether stores and ledger hold the same events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.audit import IntegrityVerified, IntegrityViolationDetected
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate

DIFFERENCES_RECORDED_MAX = 100
"""Differences that the event names; the answer of a check names all."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one side holds of a stream: how many events, and the digest over them."""

    events: int
    digest: str


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that store and ledger do not hold alike."""

    service: str
    stream: str
    stream_version: int
    event_id: str
    kind: str

    def __str__(self) -> str:
        return f"{self.service} {self.event_id} {self.kind}"


MISSING_IN_LEDGER = "missing in ledger"
MISSING_IN_STORE = "missing in store"
ALTERED = "differs"


def streams_apart(store: dict[str, Counted], ledger: dict[str, Counted]) -> list[str]:
    """The streams that the two sides do not hold alike."""
    return sorted(
        stream for stream in store.keys() | ledger.keys() if store.get(stream) != ledger.get(stream)
    )


@dataclass(frozen=True, slots=True)
class Held:
    """One event as one side holds it."""

    event_id: str
    stream_version: int
    digest: str


def events_apart(service: str, stream: str, store: list[Held], ledger: list[Held]) -> list[Difference]:
    """The events of a stream that the two sides do not hold alike, in order."""
    ours, theirs = {h.event_id: h for h in store}, {h.event_id: h for h in ledger}
    found = []
    for held in sorted({**theirs, **ours}.values(), key=lambda held: held.stream_version):
        kind = _kind(ours.get(held.event_id), theirs.get(held.event_id))
        if kind:
            found.append(Difference(service, stream, held.stream_version, held.event_id, kind))
    return found


def _kind(store: Held | None, ledger: Held | None) -> str | None:
    if ledger is None:
        return MISSING_IN_LEDGER
    if store is None:
        return MISSING_IN_STORE
    return None if store.digest == ledger.digest else ALTERED


class IntegrityCheck(Aggregate):
    """One comparison of every store with the ledger."""

    category: ClassVar[str] = "integrity-check"

    @classmethod
    def conclude(
        cls, id: UUID, events: int, streams: int, differences: tuple[str, ...], at: datetime
    ) -> Self:
        """Record what a comparison found."""
        fact: Event = IntegrityVerified(events=events, streams=streams)
        if differences:
            fact = IntegrityViolationDetected(differences=differences[:DIFFERENCES_RECORDED_MAX])
        return cls.start(id, fact, at)

    def when(self, fact: Event) -> None:
        """A check has no state beyond its one event."""
