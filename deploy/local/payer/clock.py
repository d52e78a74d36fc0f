"""What time it is for the payer: real time, or the shared clock of a simulation."""

import mmap
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = struct.Struct("<q")  # signed, 8 bytes, little-endian, since the Unix epoch

Clock = Callable[[], datetime]


def real_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def shared_clock(file: Path) -> Clock:
    """Reads the instant that a simulation's driver keeps in the file's first 8 bytes."""
    with file.open("rb") as opened:
        memory = mmap.mmap(opened.fileno(), _MICROSECONDS.size, access=mmap.ACCESS_READ)

    def now() -> datetime:
        (microseconds,) = _MICROSECONDS.unpack_from(memory)
        return _EPOCH + timedelta(microseconds=int(microseconds))

    return now
