"""Backups of a home's cluster, by PostgreSQL's own means: base backups, and an archive of its log."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.config import Settings
from deploy.local import postgres
from deploy.local.postgres import Tools

ARCHIVED_MAX_S = 120.0
"""How long the archive may take to hold what was just written."""

CHECKSUM = "SHA256"
"""By which each file of a base backup is known again (the wheel's pg_verifybackup crashes at its start)."""

SPARE_BYTES = 256 << 20
"""What is left free on a disk beside the copies that are made there."""


class CannotBackUp(Exception):
    """A backup cannot be taken; nothing of an earlier one has changed."""


class Damaged(CannotBackUp):
    """A base backup is not as it was taken."""


class NotOurs(Exception):
    """The cluster is not this home's own, or it does not run."""


class Where(BaseSettings):
    """``CARETRAIL_BACKUP_DIR``: where backups lie, best on another disk; else ``backup`` under the home."""

    model_config = SettingsConfigDict(
        env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    backup_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """A base backup: when it was whole (by the server's clock), where its log begins, how large it is.

    ``server`` is the cluster's identifier: the log of one does not fit another.
    """

    name: str
    taken_at: str
    wal: str
    server: str
    bytes: int

    @property
    def at(self) -> datetime:
        """The earliest moment that it can be brought forward to."""
        return datetime.fromisoformat(self.taken_at)


@dataclass(frozen=True, slots=True)
class Backups:
    """The folder of a cluster's backups, and the tools of that cluster."""

    folder: Path
    tools: Tools

    @property
    def url(self) -> str:
        """An administrator's address of the cluster."""
        return self.tools.url

    @property
    def wal(self) -> Path:
        """Where the archive of the log lies."""
        return self.folder / "wal"

    def bases(self) -> list[Base]:
        """The base backups of this cluster that are whole, the oldest first."""
        found = [Base(**json.loads(path.read_text())) for path in self.folder.glob("base-*.json")]
        with self.connected() as connection:
            server = _server(connection)
        return sorted((base for base in found if base.server == server), key=lambda base: base.at)

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """An administrator's connection, each statement a transaction of its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other backup or restore works on the folder. Raises CannotBackUp."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.tools.give(self.folder)
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotBackUp(f"another backup or restore works on {self.folder}") from None
            yield

    def see_room(self, size: int) -> None:
        """See that the disk has room for a copy. Raises CannotBackUp."""
        free = shutil.disk_usage(self.folder).free
        if free < size + SPARE_BYTES:
            raise CannotBackUp(
                f"the disk of {self.folder} has {free >> 20:,} MiB free; "
                f"{(size + SPARE_BYTES) >> 20:,} MiB are needed"
            )

    def close_segment(self) -> None:
        """Let the archive hold all that was committed so far, and a commit after it. Raises CannotBackUp."""
        with self.connected() as connection:
            # A recovery stops at the first commit after its moment: there must be one.
            connection.execute(b"select pg_current_xact_id()")
            connection.execute(b"select pg_create_restore_point('caretrail')")
            segment = _value(connection, b"select pg_walfile_name(pg_switch_wal())")
            deadline = time.monotonic() + ARCHIVED_MAX_S
            while not (self.wal / segment).exists():
                if time.monotonic() > deadline:
                    raise CannotBackUp(
                        f"the log is not archived into {self.wal} within {ARCHIVED_MAX_S:.0f} s: "
                        f"see that there is room, and {self.tools.data / 'log'}"
                    )
                time.sleep(0.05)


def backups(settings: Settings) -> Backups:
    """The backups of a home's own cluster, which runs. Raises NotOurs."""
    if settings.postgres_url:
        raise NotOurs("CARETRAIL_POSTGRES_URL names a server that is not this home's own")
    home = settings.home.resolve()
    found = postgres.tools(home)
    if found is None:
        raise NotOurs(f"no PostgreSQL is running under {home}")
    folder = (Where().backup_dir or home / "backup").resolve()
    return Backups(folder, found)


def take(found: Backups) -> Base:
    """Archive the log from now on, and take a base backup of all databases; within ``alone``.

    Raises CannotBackUp, ToolFailed.
    """
    found.wal.mkdir(exist_ok=True, mode=0o700)
    found.tools.give(found.wal)
    with found.connected() as connection:
        if _value(connection, b"show archive_mode") == "off":
            raise CannotBackUp("this PostgreSQL was started without an archive: start the stack anew")
        found.see_room(_size(connection))
        _archive_to(found.wal, connection)
    found.close_segment()
    partial = found.folder / "partial"
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    try:
        _receive(found, partial)
        return _kept(found, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _receive(found: Backups, partial: Path) -> None:
    words = ("-c", "fast", "-X", "stream", f"--manifest-checksums={CHECKSUM}")
    found.tools.run("pg_basebackup", "-d", found.url, "-D", str(partial), *words)
    see_whole(partial)


def see_whole(folder: Path) -> None:
    """See that each file of a base backup is as the server sent it. Raises Damaged."""
    manifest = json.loads((folder / "backup_manifest").read_text())
    for each in manifest["Files"]:
        path, word = folder / each["Path"], each["Checksum"]
        if not path.is_file():
            raise Damaged(f"the backup is damaged: {path} is missing")
        with path.open("rb") as file:
            if hashlib.file_digest(file, CHECKSUM).hexdigest() != word:
                raise Damaged(f"the backup is damaged: {path} is not as the server sent it")


def _kept(found: Backups, partial: Path) -> Base:
    """Give a whole base backup its name, and write it down last."""
    with found.connected() as connection:
        at = datetime.fromisoformat(_value(connection, b"select to_json(clock_timestamp()) #>> '{}'"))
        server = _server(connection)
    name = f"base-{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
    manifest = json.loads((partial / "backup_manifest").read_text())
    label = dict(line.split(": ", 1) for line in (partial / "backup_label").read_text().splitlines())
    wal = label["START WAL LOCATION"].partition("file ")[2].rstrip(")")
    size = sum(each["Size"] for each in manifest["Files"])
    partial.rename(found.folder / name)
    base = Base(name, at.astimezone(UTC).isoformat(timespec="microseconds"), wal, server, size)
    path = found.folder / f"{name}.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(base), indent=1))
    temporary.replace(path)
    return base


def forget(found: Backups, keep: int) -> list[Base]:
    """Remove all base backups but the newest ``keep``, and the log that no other needs; within ``alone``."""
    bases = found.bases()
    gone, kept = bases[:-keep], bases[-keep:]
    for base in gone:
        (found.folder / f"{base.name}.json").unlink()
        shutil.rmtree(found.folder / base.name)
    if gone:
        found.tools.run("pg_archivecleanup", str(found.wal), kept[0].wal)
    return gone


def _archive_to(folder: Path, connection: psycopg.Connection) -> None:
    """Let the server copy each full segment of its log there: whole or not at all, never over another."""
    command = sql.SQL("alter system set archive_command = {}").format(_copying(folder))
    connection.execute(command)
    connection.execute(b"select pg_reload_conf()")


def _copying(folder: Path) -> str:
    there = shlex.quote(str(folder).replace("%", "%%")) + "/%f"
    copied = f"cp %p {there}.part && sync {there}.part && mv {there}.part {there}"
    return f"if test -e {there}; then cmp -s %p {there}; else {copied}; fi"


def _size(connection: psycopg.Connection) -> int:
    return int(_value(connection, b"select sum(pg_database_size(oid))::text from pg_database"))


def _server(connection: psycopg.Connection) -> str:
    return _value(connection, b"select system_identifier::text from pg_control_system()")


def _value(connection: psycopg.Connection, query: bytes) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])
