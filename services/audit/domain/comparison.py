"""Compares what a store and the ledger hold of one service, page by page, and names what differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from caretrail_contracts.envelope import PARTITIONS

from chassis.ids import derive

STEPS_MAX = 1_000
"""Events of one command among which an id is looked for before it is called forged."""

ROOM = 10_000
"""Positions that an epoch leaves free before it is opened, for what came late; some may be held."""

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

    @property
    def opens(self) -> bool:
        """Whether it belongs to the opening of an epoch, one event in each partition."""
        return self.stream.startswith("epoch-")


@dataclass(slots=True)
class Opening:
    """What was found so far of an epoch's opening."""

    epoch: int
    first: int
    last: int
    events: int = 1

    @property
    def whole(self) -> bool:
        """Whether it has an event for each partition."""
        return self.events == PARTITIONS


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
    _gaps: list[tuple[int, int]] = field(default_factory=list)
    """The first and the last position of each."""
    _epoch: int = 0
    _opening: Opening | None = None
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
        self._step_to(passed + 1)
        self._conclude_opening(given_up=False)
        for first, last in self._gaps:
            self.note("", 0, "", f"positions {first} to {last} are held by neither")
        for held in self._store.values():
            if held.position <= head:
                self.name(held, MISSING_IN_LEDGER)
        for held in self._ledger.values():
            self.name(held, MISSING_IN_STORE)

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
        """Positions have no gaps but rooms; each row of the ledger names the one before it in its partition.

        What one side lost or altered is taken from the other, so that the row after it is not named too.
        """
        for position in sorted(store.keys() | ledger.keys()):
            self._step_to(position)
            self._position = position
            ours, theirs = store.get(position), ledger.get(position)
            if theirs and theirs.digest is None:
                theirs = None
            if held := theirs or ours:
                self._enter(held)
            befores = [last.get((theirs.epoch, theirs.partition)) if theirs else None for last in self._lasts]
            if theirs and theirs.prev not in befores:
                self.name(theirs, OUT_OF_LINE)
            for last, held in zip(self._lasts, (ours or theirs, theirs or ours), strict=True):
                if held:
                    last[held.epoch, held.partition] = position

    def _step_to(self, position: int) -> None:
        if self._position + 1 < position:
            self._gaps.append((self._position + 1, position - 1))

    def _enter(self, held: Held) -> None:
        """Go on to an event: it may begin an epoch's opening, or go on with it, or come behind it."""
        opening, begins = self._opening, held.opens and held.epoch > self._epoch
        if opening and not begins and held.opens and held.epoch == opening.epoch:
            opening.last, opening.events = held.position, opening.events + 1
        else:
            self._conclude_opening(given_up=begins)
        if begins:
            self._opening = Opening(held.epoch, held.position, held.position)
        self._epoch = max(self._epoch, held.epoch)

    def _conclude_opening(self, *, given_up: bool) -> None:
        """Pass over the room before an opening: nobody can tell what was free there, and what was held.

        One that was sent in part and given up, so that the next epoch follows at once, has gaps itself.
        """
        opening, self._opening = self._opening, None
        if not opening:
            return
        partly = given_up and not opening.whole
        if not (opening.whole or partly):
            self.note("", 0, "", f"of the opening of epoch {opening.epoch} events are held by neither")
        free, until = opening.last - PARTITIONS - ROOM + 1, opening.last if partly else opening.first
        cut = [(first, free - 1 if free <= last < until else last) for first, last in self._gaps]
        self._gaps = [(first, last) for first, last in cut if first <= last]
