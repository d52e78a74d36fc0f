"""Numbers that processes share: a file of one, mapped into each."""

from __future__ import annotations

import mmap
from pathlib import Path
from struct import Struct


def shared(path: Path, form: Struct) -> mmap.mmap:
    """The bytes of the number, which is 0 at first."""
    if not path.exists():
        path.write_bytes(form.pack(0))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), form.size)
