"""A scratch cluster: a base backup brought forward to a moment, beside the live one, and thrown away."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.local.backup import Backups, Base, see_whole
from deploy.local.dying import die_with_parent
from deploy.local.postgres import Tools

RECOVERY_MAX_S = 3_600.0
STOP_S = 10.0


class NotReached(Exception):
    """The backup cannot be brought forward to the moment: the archive has a hole, or is damaged."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """An administrator's address of a scratch cluster, and a folder that goes with it."""

    url: str
    folder: Path


@contextmanager
def scratch(backups: Backups, base: Base, at: datetime) -> Iterator[Scratch]:
    """A cluster as it was at a moment. Raises Damaged, NotReached.

    It archives nothing and needs no durability; it ends with the block, or with this process.
    """
    tools, whole = backups.tools, backups.folder / base.name
    see_whole(whole)
    for left in backups.folder.glob("scratch-*"):  # of a process that was killed
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=backups.folder))
    # A socket's path may have some hundred characters: a short one of its own, closed to all other users.
    sockets = Path(tempfile.mkdtemp(prefix="caretrail-", dir="/tmp"))
    try:
        for each in (folder, sockets):
            tools.give(each)
        data = folder / "data"
        subprocess.run(("cp", "-a", str(whole), str(data)), check=True, **tools.owner)
        _aim(tools, data, backups.wal, at)
        with _running(tools, data, sockets, folder / "log") as url:
            yield Scratch(url, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


def _aim(tools: Tools, data: Path, wal: Path, at: datetime) -> None:
    """Say from where the log is fetched and where it ends; the last word on a setting counts."""
    fetch = f"cp {shlex.quote(str(wal).replace('%', '%%'))}/%f %p"
    settings = {
        "restore_command": fetch,
        "recovery_target_time": at.isoformat(timespec="microseconds"),
        "recovery_target_action": "promote",
        "archive_mode": "off",
        "hot_standby": "off",
        "fsync": "off",
        "log_min_messages": "warning",
    }
    with (data / "postgresql.auto.conf").open("a") as file:
        for name, value in settings.items():
            quoted = value.replace("'", "''")
            file.write(f"{name} = '{quoted}'\n")
    signal_file = data / "recovery.signal"
    signal_file.touch()
    tools.give(signal_file)


@contextmanager
def _running(tools: Tools, data: Path, sockets: Path, log: Path) -> Iterator[str]:
    argv = (tools.program("postgres"), "-D", str(data), "-h", "", "-k", str(sockets))
    with log.open("w") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", start_new_session=True,
            env={**os.environ, "LC_ALL": "C"}, preexec_fn=die_with_parent, **tools.owner,
        )  # fmt: skip
    try:
        url = make_conninfo("", host=str(sockets), user="postgres", dbname="postgres")
        _until_open(process, url, log)
        yield url
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_open(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the log is replayed and the cluster takes connections. Raises NotReached."""
    deadline = time.monotonic() + RECOVERY_MAX_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotReached(
                f"the backup could not be brought forward: {why(log.read_text(errors='replace'))}"
            )
        try:
            psycopg.connect(url, connect_timeout=3).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise NotReached(f"the backup was not brought forward within {RECOVERY_MAX_S:.0f} s")


def why(log: str) -> str:
    """The server's last word on why it ended, not those to us while it was not open."""
    words = [line.partition("FATAL:")[2].strip() for line in log.splitlines() if "FATAL:" in line]
    own = [word for word in words if not word.startswith("the database system is ")]
    return own[-1] if own else "it ended without a word"
