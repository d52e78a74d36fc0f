"""The folder that billing shares with its payer: files appear whole, and are taken once they are recorded."""

from __future__ import annotations

import os
from pathlib import Path

OURS, FILE = 0o700, 0o600
"""Modes of folders and files: they hold names and birth dates, and are our user's and the payer's alone."""


class Folder:
    """``inbound`` is the payer's, ``outbound`` ours to read, ``taken`` what was read."""

    def __init__(self, root: Path) -> None:
        self._inbound, self._outbound, self._taken = root / "inbound", root / "outbound", root / "taken"

    def write(self, name: str, data: bytes) -> None:
        """Put a file before the payer: temporary name, fsync, rename. The same name again replaces it."""
        self._inbound.mkdir(OURS, parents=True, exist_ok=True)
        temporary = self._inbound / f".{name}.tmp"
        with open(temporary, "wb", opener=_closed) as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(self._inbound / name)
        _sync(self._inbound)

    def standing(self) -> tuple[int, list[str]]:
        """How many files the payer has not taken yet, and, looked at after that, what it answered."""
        return len(_names(self._inbound)), self.answers()

    def answers(self) -> list[str]:
        """Names of what the payer answered, in their order."""
        return _names(self._outbound)

    def read(self, name: str) -> bytes:
        """An answer."""
        return (self._outbound / name).read_bytes()

    def take(self, name: str) -> None:
        """An answer is recorded: keep it aside."""
        self._taken.mkdir(OURS, parents=True, exist_ok=True)
        (self._outbound / name).replace(self._taken / name)
        _sync(self._taken)


def _closed(path: str, flags: int) -> int:
    """Opens a file that no other user reads."""
    return os.open(path, flags, FILE)


def _names(folder: Path) -> list[str]:
    """Whole files; names that begin with a dot are unfinished."""
    if not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if not one.name.startswith(".") and one.is_file())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
