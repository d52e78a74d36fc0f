"""Compares what a store and the ledger hold of one service, page by page, and names what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from chassis.ids import derive

STEPS_MAX = 1_000
"""Events of one command among which an id is looked for before it is called forged."""

LABEL_CHARS_MAX = 120
"""How long a difference may be in the event that records it."""

MISSING_IN_LEDGER = "missing in ledger"
MISSING_IN_STORE = "missing in store"
ALTERED = "differs"
UNREADABLE_IN_STORE = "unreadable in store"
UNREADABLE_IN_LEDGER = "unreadable in ledger"
HELD_TWICE = "held twice"
FORGED = "its id does not follow from its command"
OUT_OF_LINE = "differs in ledger: prev"
OF_NO_SERVICE = "of a source that no service has"


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that store and ledger do not hold alike, or that no service can have recorded.

    Where positions are held by neither, nothing but the service and the kind is known.
    """

    service: str
    stream: str
    stream_version: int
    event_id: str
    kind: str

    def __str__(self) -> str:
        return f"{self.service} {self.event_id} {self.kind}"[:LABEL_CHARS_MAX]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One event as one side holds it; without digest where what is held cannot be read.

    Even what a row can be named by may be gone: then it is empty or 0.

    ``prev`` and ``fault``, what is wrong with the row by itself, are known of the ledger's alone.
    """

    id: str
    command_id: str = ""
    stream: str
    stream_version: int
    epoch: int
    position: int
    partition: int | None = None
    digest: str | None
    prev: int | None = None
    fault: str | None = None


Last = dict[tuple[int, int | None], int]
"""The last position of each epoch and partition."""


@dataclass
class Comparison:
    """What was compared of one service so far. Pages are taken in order of position."""

    service: str
    events: int = 0
    streams: set[str] = field(default_factory=set)
    differences: dict[Difference, None] = field(default_factory=dict)
    """In the order found, each once."""
    _store: dict[str, Held] = field(default_factory=dict)
    _ledger: dict[str, Held] = field(default_factory=dict)
    _position: int = 0
    _lasts: tuple[Last, Last] = field(default_factory=lambda: ({}, {}))
    _command: tuple[str, int] = ("", 0)

    def take(self, store: list[Held], ledger: list[Held]) -> None:
        """Compare a page: what both hold from one position to another."""
        self.events += len(store)
        self.streams.update(held.stream for held in store)
        self._put(self._store, store)
        self._put(self._ledger, ledger)
        for id in [id for id in self._store if id in self._ledger]:
            self._match(self._store.pop(id), self._ledger.pop(id))
        for held in store:
            self._trace(held)
        for held in ledger:
            if held.fault:
                self.name(held, held.fault)
        self._line_up({held.position: held for held in store}, {held.position: held for held in ledger})

    def conclude(self, head: int, passed: int) -> None:
        """Name what one side alone holds up to the store's head, and what is gone from both.

        ``passed`` is the farthest position that anybody had read or sent when the check began.
        """
        for held in self._store.values():
            if held.position <= head:
                self.name(held, MISSING_IN_LEDGER)
        for held in self._ledger.values():
            self.name(held, MISSING_IN_STORE)
        self._step_to(passed + 1)

    def name(self, held: Held, kind: str) -> None:
        """An event differs."""
        self.note(held.stream, held.stream_version, held.id, kind)

    def note(self, stream: str, stream_version: int, id: str, kind: str) -> None:
        """Something differs, once."""
        self.differences[Difference(self.service, stream, stream_version, id, kind)] = None

    def _put(self, side: dict[str, Held], page: Iterable[Held]) -> None:
        for held in page:
            if held.id in side:
                self.name(held, HELD_TWICE)
            side[held.id] = held

    def _match(self, ours: Held, theirs: Held) -> None:
        if ours.digest is None:
            self.name(ours, UNREADABLE_IN_STORE)
        elif theirs.digest is not None and ours.digest != theirs.digest:
            self.name(ours, ALTERED)

    def _trace(self, held: Held) -> None:
        """An event's id follows from its command, and from its place among the command's events."""
        before, step = self._command
        step = step + 1 if held.command_id == before else 0
        self._command = held.command_id, step
        if not self._follows(held, step):
            self.name(held, FORGED)

    def _follows(self, held: Held, step: int) -> bool:
        if not (held.command_id and held.id):
            return False
        command, id = UUID(held.command_id), UUID(held.id)
        return derive(command, step) == id or id in (derive(command, at) for at in range(STEPS_MAX))

    def _line_up(self, store: dict[int, Held], ledger: dict[int, Held]) -> None:
        """Positions have no gaps; each row of the ledger names the one before it in its partition.

        What one side lost or altered is taken from the other, so that the row after it is not named too.
        """
        for position in sorted(store.keys() | ledger.keys()):
            self._step_to(position)
            self._position = position
            ours, theirs = store.get(position), ledger.get(position)
            if theirs and theirs.digest is None:
                theirs = None
            befores = [last.get((theirs.epoch, theirs.partition)) if theirs else None for last in self._lasts]
            if theirs and theirs.prev not in befores:
                self.name(theirs, OUT_OF_LINE)
            for last, held in zip(self._lasts, (ours or theirs, theirs or ours), strict=True):
                if held:
                    last[held.epoch, held.partition] = position

    def _step_to(self, position: int) -> None:
        first, last = self._position + 1, position - 1
        if first <= last:
            self.note("", 0, "", f"positions {first} to {last} are held by neither")
