"""Files that appear whole or not at all, and stay: temporary name, fsync, then one step to the real name."""

import os
from pathlib import Path

FOLDER, FILE = 0o700, 0o600
"""Modes: what providers and payers exchange is for no other user's eyes."""


def make_folder(folder: Path) -> None:
    """Makes a folder for its owner alone, if it is not there."""
    folder.mkdir(FOLDER, parents=True, exist_ok=True)


def write_whole(file: Path, data: bytes) -> None:
    """Puts `data` under that name, replacing what was there."""
    temporary = _temporary(file, data)
    temporary.replace(file)
    _sync_folder(file.parent)


def write_once(file: Path, data: bytes) -> bytes:
    """Puts `data` under that name unless something is there already; returns what is there now."""
    if file.exists():
        return file.read_bytes()
    temporary = _temporary(file, data)
    try:
        os.link(temporary, file)
    except FileExistsError:
        return file.read_bytes()
    finally:
        temporary.unlink()
    _sync_folder(file.parent)
    return data


def move(file: Path, folder: Path) -> None:
    """Moves a file into another folder of the same disk."""
    file.replace(folder / file.name)
    _sync_folder(folder)
    _sync_folder(file.parent)


def _temporary(file: Path, data: bytes) -> Path:
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with open(temporary, "wb", opener=_closed) as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    return temporary


def _closed(path: str, flags: int) -> int:
    return os.open(path, flags, FILE)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
