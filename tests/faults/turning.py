"""A clock that turns faster than the machine's, for all processes alike, and can be skewed for one of them.

Days of care pass within a run: charges close, messages are posted. Nothing waits for it or moves it by
hand; it goes on as a real clock does.
"""

from __future__ import annotations

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.shared import shared

_TURN = struct.Struct("<ddd")
_SKEW = struct.Struct("<d")


class Turning:
    """The time of a run: from ``base`` on, ``rate`` seconds for each of the machine's."""

    def __init__(self, folder: Path, name: str = "") -> None:
        with (folder / "clock").open("r+b") as file:
            self._turn = mmap.mmap(file.fileno(), _TURN.size)
        self._skew = _skew_of(folder, name) if name else None

    def now(self) -> datetime:
        """The time, in UTC."""
        since, base, rate = _TURN.unpack_from(self._turn)
        skew = _SKEW.unpack_from(self._skew)[0] if self._skew else 0.0
        return datetime.fromtimestamp(base + (time.time() - since) * rate + skew, UTC)

    def turn_at(self, rate: float) -> None:
        """Go on from now at another rate."""
        self._turn[:] = _TURN.pack(time.time(), self.now().timestamp(), rate)


def begin(folder: Path, base: datetime, rate: float) -> Turning:
    """Make a run's clock."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clock").write_bytes(_TURN.pack(time.time(), base.timestamp(), rate))
    return Turning(folder)


def skew(folder: Path, name: str, by: timedelta) -> None:
    """Set one process's clock off by so much."""
    _skew_of(folder, name)[:] = _SKEW.pack(by.total_seconds())


def _skew_of(folder: Path, name: str) -> mmap.mmap:
    return shared(folder / f"skew-{name}", _SKEW)


def install(folder: Path, name: str) -> None:
    """Have this process's system clock be the run's."""
    from chassis.clock import SystemClock

    turning = Turning(folder, name)
    SystemClock.now = lambda self: turning.now()  # type: ignore[method-assign]
