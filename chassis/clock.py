"""Time as an input: the system's clock, or one that a driver moves for all processes at once."""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CELL = struct.Struct("<q")


class Clock(Protocol):
    """Tells the time of the domain; lag and time-outs use the real one."""

    def now(self) -> datetime:
        """The time, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)


class SharedClock:
    """A clock in a file of eight bytes (microseconds since 1970, little-endian) mapped by all processes.

    Every process sees a new time at once, and a restarted one finds the time as it was.
    """

    def __init__(self, path: Path, *, create: datetime | None = None) -> None:
        if create is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_CELL.pack((create - EPOCH) // _MICROSECOND))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _CELL.size)

    def now(self) -> datetime:
        """The time, in UTC."""
        return EPOCH + timedelta(microseconds=_CELL.unpack_from(self._map)[0])

    def move(self, to: datetime) -> None:
        """Set the time for every process."""
        _CELL.pack_into(self._map, 0, (to - EPOCH) // _MICROSECOND)


def clock_of(path: Path | None) -> Clock:
    """The shared clock of a file, or the system's where none is named."""
    return SharedClock(path) if path else SystemClock()
