"""Figures: what was measured, beside what, and whether it is enough. Data, and the arithmetic on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Floor:
    """What a figure must reach.

    ``ratio`` is to the reference: at least for a rate, at most where ``less`` is better. ``limits`` bound
    other measures of the same trials, by name: their median is at most that.
    """

    ratio: float | None = None
    less: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [] if self.ratio is None else [f"{'≤' if self.less else '≥'} {self.ratio:g}×"]
        return ", ".join(parts + [f"{name} ≤ {limit:g}" for name, limit in self.limits.items()])


@dataclass(frozen=True, slots=True)
class Key:
    """A figure's name, work, reference and floor; ``bound`` says what holds it back where it misses."""

    name: str
    work: str
    unit: str
    reference: str
    floor: Floor
    bound: str


@dataclass(frozen=True, slots=True)
class Figure:
    """The trials of a key: ours and the reference's in pairs; ``missing`` says why there are none."""

    key: str
    ours: Sequence[float] = ()
    reference: Sequence[float] = ()
    more: Mapping[str, Sequence[float]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    missing: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours to the reference's, trial by trial: what disturbs one mostly disturbs the other too."""
        pairs = zip(self.ours, self.reference, strict=False)
        return [ours / reference for ours, reference in pairs if reference]


def verdict(figure: Figure, floor: Floor) -> str:
    """``met``, ``missed``, or ``missing`` where the work does not exist."""
    if figure.missing:
        return "missing"
    enough = all(median(figure.more[name]) <= limit for name, limit in floor.limits.items())
    if floor.ratio is not None and figure.ratios:
        found = median(figure.ratios)
        enough = enough and (found <= floor.ratio if floor.less else found >= floor.ratio)
    return "met" if enough else "missed"


def reason(figure: Figure, key: Key) -> str:
    """Why a figure is not what it must be; nothing where it is."""
    return figure.missing or (key.bound if verdict(figure, key.floor) == "missed" else "")


def spread(values: Sequence[float]) -> dict[str, Any] | None:
    """Least, middle and most of the trials, and the trials themselves."""
    if not values:
        return None
    rounded = [float(f"{value:.5g}") for value in values]
    return {"min": min(rounded), "median": median(rounded), "max": max(rounded), "trials": rounded}


def as_json(figure: Figure, key: Key) -> dict[str, Any]:
    """A figure as it stands in the file of results."""
    return {
        "work": key.work,
        "unit": key.unit,
        "ours": spread(figure.ours),
        "reference": {"what": key.reference, "measured": spread(figure.reference)},
        "ratio": spread(figure.ratios),
        "floor": str(key.floor),
        "verdict": verdict(figure, key.floor),
        "reason": reason(figure, key),
        "more": {name: spread(values) for name, values in figure.more.items()},
        "about": dict(figure.about),
    }
