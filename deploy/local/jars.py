"""Kafka's jars: resolved by coordinate without Java or Maven, checked by hash, cached for every home."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LOCK = Path(__file__).with_name("kafka.lock")

DOWNLOADS_MAX = 8
"""Jars fetched at the same time."""


class JarAltered(Exception):
    """A jar has another hash than the lock names; it is not kept: the next start fetches it anew."""


class JarMissing(Exception):
    """A jar is not in the cache and could not be fetched."""


def cache_folder() -> Path:
    """Where jars are kept: ``XDG_CACHE_HOME/caretrail/jars``, by default under ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "caretrail" / "jars"


def classpath() -> list[Path]:
    """The jars of the lock, fetched where they are missing. Raises JarAltered, JarMissing."""
    wanted = [line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    with ThreadPoolExecutor(DOWNLOADS_MAX) as pool:
        return list(pool.map(lambda entry: _jar(*entry), wanted))


def _jar(coordinate: str, sha256: str) -> Path:
    group, artifact, version = coordinate.split(":")
    cached = cache_folder() / f"{artifact}-{version}.jar"
    if not cached.exists():
        _fetch(group, artifact, version, sha256, cached)
    return cached


def _fetch(group: str, artifact: str, version: str, sha256: str, to: Path) -> None:
    # Imported here: only the first start of a machine needs it.
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=cache_folder().parent / "maven", local_repos=[], timeout=60)
    jar = context.project(group, artifact).at_version(version).artifact(packaging="jar")
    try:
        found = jar.resolve()
    except (OSError, RuntimeError) as error:  # the network's word, or the resolver's
        raise JarMissing(
            f"Kafka's {artifact}-{version}.jar is not in {to.parent} and could not be fetched "
            f"({type(error).__name__})"
        ) from error
    content = Path(found).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    Path(found).unlink()
    if digest != sha256:
        raise JarAltered(f"{group}:{artifact}:{version} has SHA-256 {digest}, the lock names {sha256}")
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = to.with_suffix(f".{os.getpid()}.new")
    temporary.write_bytes(content)
    temporary.replace(to)
