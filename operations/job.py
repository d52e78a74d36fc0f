"""A job: one share of a fold, as a process of its own is given it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib import import_module

from chassis.positions import Place, Spot
from chassis.projection import Projection

Vector = dict[Spot, Place]
"""How far each source of a history was, or is to be, folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to fold, from which sources up to where, and into which schema.

    ``until`` and ``partitions`` bound the history. ``by_partition`` folds one partition after another,
    keys apart from each other; otherwise the order of the store is kept. ``batch`` is in events.
    """

    database: str
    kafka: str
    service: str
    source: str
    projection: str
    run: str
    turn: int
    target: str
    partitions: tuple[int, ...]
    until: tuple[tuple[str, int, str, int, int, int | None], ...]
    batch: int
    by_partition: bool = False
    ordered: bool = False
    """Whether rows are written in the order of their keys, since other processes write some of them too."""
    against: str = ""
    """The schema whose rows differ, where the job is to explain why."""
    snapshot: str = ""

    def encoded(self) -> bytes:
        """The job as a process is told it: it holds a password, so never as an argument."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, told: bytes) -> Job:
        """The job that was told."""
        fields = json.loads(told)
        fields["partitions"] = tuple(fields["partitions"])
        fields["until"] = tuple(tuple(each) for each in fields["until"])
        return cls(**fields)

    @property
    def vector(self) -> Vector:
        """``until`` by spot."""
        return {
            (topic, part, source): Place(epoch, position, offset)
            for topic, part, source, epoch, position, offset in self.until
        }


def told(vector: Vector) -> tuple[tuple[str, int, str, int, int, int | None], ...]:
    """A vector as a job carries it."""
    return tuple((*spot, place.epoch, place.position, place.offset) for spot, place in vector.items())


def shares(partitions: int, processes: int) -> list[tuple[int, ...]]:
    """The partitions dealt out to processes."""
    return [tuple(range(first, partitions, processes)) for first in range(processes)]


def reference(projection: Projection) -> str:
    """Where another process finds a projection's class."""
    kind = type(projection)
    return f"{kind.__module__}:{kind.__qualname__}"


def referred(where: str) -> Projection:
    """The projection at a reference."""
    module, _, names = where.partition(":")
    found = import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    projection = found()  # type: ignore[operator]
    if not isinstance(projection, Projection):
        raise TypeError(f"{where} is no projection")
    return projection


def ahead_of(one: Place, other: Place) -> bool:
    """Whether a place lies beyond another."""
    return (one.epoch, one.position) > (other.epoch, other.position)
