"""Homes of servers that tests start: in memory where there is room, since most of them come and go.

On a disk the suite spends a fifth of its time making and dropping the files of databases and topics. What a
disk does in a fault is tried in ``tests/faults``, whose homes stay on it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 8 << 30
"""What must be free of it, and of the machine's memory: the whole suite takes a tenth of it."""


def _room() -> int:
    """Bytes that are free in memory for files; 0 where a machine does not tell."""
    try:
        told = Path("/proc/meminfo").read_text().splitlines()
        [available] = [int(line.split()[1]) << 10 for line in told if line.startswith("MemAvailable:")]
        return min(available, shutil.disk_usage(MEMORY).free) if os.access(MEMORY, os.W_OK) else 0
    except OSError:
        return 0


HOMES = str(MEMORY) if _room() >= ROOM_BYTES else "/tmp"
"""The folder for homes. Its path is short, since PostgreSQL's sockets lie in them, and open to its user."""
