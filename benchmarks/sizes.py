"""How much of each work is done: in whole, quickly, or just enough to see that it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Events, commands and seconds of one trial, and how many trials there are."""

    trials: int
    single: int
    """Appends one after the other."""
    appends: int
    """Appends by concurrent callers."""
    commands: int
    library: int
    """Events of one of the library's trials, 20,000 in three: a rate, since it takes a tenth of ours."""
    probe: int
    """Events with which the best number of threads or the best settings are found."""
    copied: int
    http_s: float
    delivered_s: float
    relayed: int
    rebuilt: int
    small: int
    large: int
    """Stored events of the two data sets that growth compares."""
    looks: int
    """Timelines read in a trial."""
    idle_s: float


FULL = Sizes(
    trials=3,
    single=1_500,
    appends=20_000,
    commands=6_000,
    library=6_700,
    probe=1_200,
    copied=200_000,
    http_s=6,
    delivered_s=8,
    relayed=100_000,
    rebuilt=1_000_000,
    small=100_000,
    large=10_000_000,
    looks=400,
    idle_s=10,
)

QUICK = Sizes(
    trials=3,
    single=300,
    appends=4_000,
    commands=1_500,
    library=1_000,
    probe=250,
    copied=50_000,
    http_s=2,
    delivered_s=3,
    relayed=20_000,
    rebuilt=50_000,
    small=20_000,
    large=200_000,
    looks=100,
    idle_s=3,
)

TINY = Sizes(
    trials=2,
    single=5,
    appends=64,
    commands=32,
    library=20,
    probe=4,
    copied=500,
    http_s=0.2,
    delivered_s=0.3,
    relayed=200,
    rebuilt=300,
    small=200,
    large=400,
    looks=3,
    idle_s=0.1,
)

SIZES = {"full": FULL, "quick": QUICK, "tiny": TINY}
