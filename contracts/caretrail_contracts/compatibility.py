"""Whether two JSON Schemas (2020-12) go together: who could no longer read whom.

The writer counts as closed, the reader as open (see :mod:`caretrail_contracts.subset`). BACKWARD: readers of
the new schema read what writers of the old one sent. FORWARD: readers of the old schema read what writers of
the new one send.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .subset import require_subset
from .subset_values import Mismatch


class Mode(StrEnum):
    """Which readers are asked for; ``transitive`` is ``full`` for every pair of versions."""

    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"
    TRANSITIVE = "transitive"

    @property
    def directions(self) -> tuple[Mode, ...]:
        """The one or two questions that this mode asks of a pair."""
        return (self,) if self in (Mode.BACKWARD, Mode.FORWARD) else (Mode.BACKWARD, Mode.FORWARD)


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a reader may refuse a writer: a JSON pointer into the ``side`` it stands in.

    ``decided`` is False where nothing shows that the reader refuses, but nothing shows that it does not.
    """

    direction: Mode
    at: str
    side: str
    says: str
    decided: bool

    @property
    def whom(self) -> str:
        """Who cannot read whom."""
        new_reads = self.direction is Mode.BACKWARD
        reader, writer, sends = ("new", "old", "sent") if new_reads else ("old", "new", "send")
        verb = "cannot" if self.decided else "may not be able to"
        return f"readers of the {reader} schema {verb} read what writers of the {writer} one {sends}"

    def __str__(self) -> str:
        return f"{self.whom}: at {self.at or '(root)'} of the {self.side} schema, {self.says}"


def first_break(old: Any, new: Any, mode: Mode = Mode.FULL) -> Break | None:
    """The first break between two schemas; None when they go together."""
    for direction in mode.directions:
        found = _break(old, new, direction)
        if found is not None:
            return found
    return None


def _break(old: Any, new: Any, direction: Mode) -> Break | None:
    backward = direction is Mode.BACKWARD
    try:
        require_subset(*((old, new) if backward else (new, old)))
    except Mismatch as found:
        in_old, in_new = (found.writer, found.reader) if backward else (found.reader, found.writer)
        side, at = (
            ("new", in_new) if _is_there(new, in_new) or not _is_there(old, in_old) else ("old", in_old)
        )
        return Break(direction, at, side, found.says, found.decided)
    return None


def _is_there(document: Any, pointer: str) -> bool:
    part = document
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict) and name in part:
            part = part[name]
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return False
    return True
