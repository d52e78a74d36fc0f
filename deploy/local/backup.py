"""Backups of a home's cluster, by PostgreSQL's own means: base backups, and an archive of its log."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shlex
import shutil
import sys
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
from deploy.local.postgres import UNARCHIVED, Tools

ARCHIVED_MAX_S = 120.0
"""How long the archive may take to hold what was just written."""

FAILURES = 2
"""So often the archive fails before who waits is told: a first failure may be of the command before."""

RELOADS_MAX = 20
"""So many segments may go by the command before until PostgreSQL goes by a new one: mostly none or one."""

CHECKSUM = "SHA256"
"""By which each file of a base backup is known again (the wheel's pg_verifybackup crashes at its start)."""

SPARE_BYTES = 256 << 20
"""What is left free on a disk beside the copies that are made there."""


class CannotBackUp(Exception):
    """A backup cannot be taken; nothing of an earlier one has changed."""


class Damaged(CannotBackUp):
    """A base backup is not as it was taken."""


class NotOurs(Exception):
    """The cluster is not this home's own."""


class NotRunning(Exception):
    """The home's cluster does not run, or does not answer."""


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
    """The folder of a cluster's backups, the tools of that cluster, and its identifier.

    Clusters may share a folder, one after the other: what is of another one is left alone.
    """

    folder: Path
    tools: Tools
    server: str

    @property
    def url(self) -> str:
        """An administrator's address of the cluster."""
        return self.tools.url

    @property
    def wal(self) -> Path:
        """Where the archive of the log lies: segments of two clusters may have the same name."""
        return self.folder / "wal" / self.server

    def bases(self) -> list[Base]:
        """The base backups of this cluster that are whole, the oldest first."""
        own = (base for base in self._found() if base.server == self.server)
        return sorted(own, key=lambda base: base.at)

    def foreign(self) -> int:
        """How many base backups in the folder are of other clusters."""
        return sum(base.server != self.server for base in self._found())

    def _found(self) -> list[Base]:
        return [Base(**json.loads(path.read_text())) for path in self.folder.glob("base-*.json")]

    def clear(self) -> None:
        """Remove what a process left that was killed: a copy that is not written down is not whole."""
        shutil.rmtree(self.folder / "partial", ignore_errors=True)
        for path in self.folder.glob("base-*Z"):
            if path.is_dir() and not path.with_name(f"{path.name}.json").exists():
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """An administrator's connection, each statement a transaction of its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other backup or restore works on the folder. Raises CannotBackUp."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.tools.give(self.folder)
            lock = (self.folder / "lock").open("a")
        except OSError as error:
            raise CannotBackUp(f"the folder {self.folder} cannot be used: {error.strerror}") from None
        with lock:
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

    def archives(self) -> bool:
        """Whether PostgreSQL archives its log into this folder, as today or as an earlier version did."""
        with self.connected() as connection:
            command = _value(connection, b"show archive_command")
        return any(_copying(folder) in command for folder in (self.wal, self.wal.parent))

    def close_segment(self) -> str:
        """Let the archive hold all that was committed so far, and a commit after it, in the segment given.

        Raises CannotBackUp.
        """
        with self.connected() as connection:
            # A recovery stops at the first commit after its moment: there must be one.
            connection.execute(b"select pg_current_xact_id()")
            connection.execute(b"select pg_create_restore_point('caretrail')")
            failed = int(_value(connection, FAILED))
            segment = _value(connection, b"select pg_walfile_name(pg_switch_wal())")
            deadline = time.monotonic() + ARCHIVED_MAX_S
            while connection.execute(WAITS, (segment,)).fetchone() is not None:
                if int(_value(connection, FAILED)) >= failed + FAILURES or time.monotonic() > deadline:
                    command = _value(connection, b"show archive_command")
                    raise CannotBackUp(
                        f"the log cannot be archived into {' and '.join(_named(command))}: see that there is "
                        "room, that PostgreSQL's user gets there and no other log lies there, and "
                        f"{self.tools.data / 'log'}"
                    )
                time.sleep(0.05)
        return segment

    def see_archived(self) -> None:
        """See that PostgreSQL goes by the command that it was just given. Raises CannotBackUp."""
        for _ in range(RELOADS_MAX):
            path = self.wal / self.close_segment()
            if path.exists() and _server_of(path) == self.server:
                return
            time.sleep(0.1)
        raise CannotBackUp(f"the log does not come into {self.wal}: see {self.tools.data / 'log'}")

    def adopt(self) -> None:
        """Move this cluster's log to its own place from where earlier versions put that of every cluster."""
        for path in self.wal.parent.iterdir():
            if SEGMENT.fullmatch(path.name) and _server_of(path) == self.server:
                path.replace(self.wal / path.name)

    def make_place(self) -> None:
        """Make the place of the archive where it is missing."""
        for folder in (self.wal.parent, self.wal):
            folder.mkdir(exist_ok=True, mode=0o700)
            self.tools.give(folder)


def backups(settings: Settings) -> Backups:
    """The backups of a home's own cluster, which runs. Raises NotOurs, NotRunning."""
    if settings.postgres_url:
        raise NotOurs("CARETRAIL_POSTGRES_URL names a server that is not this home's own")
    home = settings.home.resolve()
    found = postgres.tools(home)
    if found is None:
        raise NotRunning(f"no PostgreSQL is running under {home}")
    try:
        with psycopg.connect(found.url, autocommit=True) as connection:
            server = _server(connection)
    except psycopg.OperationalError as error:
        said = str(error).strip().rpartition("\n")[2]
        raise NotRunning(f"the PostgreSQL under {home} does not answer: {said}") from None
    return Backups((Where().backup_dir or home / "backup").resolve(), found, server)


def take(found: Backups) -> Base:
    """Archive the log from now on, and take a base backup of all databases; within ``alone``.

    Raises CannotBackUp, ToolFailed.
    """
    found.make_place()
    found.clear()
    with found.connected() as connection:
        if _value(connection, b"show archive_mode") == "off":
            raise CannotBackUp("this PostgreSQL was started without an archive: start the stack anew")
        found.see_room(_size(connection))
    partial = found.folder / "partial"
    try:
        with _archiving(found):
            found.see_archived()
            found.adopt()
            _receive(found, partial)
            found.see_archived()
            return _kept(found, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _archiving(found: Backups) -> Iterator[None]:
    """Archive into the folder what goes elsewhere too, and after the block into the folder alone.

    Where the block fails all is as it was, and the archive elsewhere has no hole.
    """
    with found.connected() as connection:
        before = _value(connection, b"show archive_command") or UNARCHIVED
    own = _copying(found.wal)
    _archive_by(found, _with(found, before, own))
    try:
        yield
    except BaseException:
        _archive_by(found, before)
        raise
    _archive_by(found, own)


def _with(found: Backups, before: str, own: str) -> str:
    """The command that does its own part beside what is done by now.

    An archive that does not take the log, since its disk is gone, must not keep from a new one.
    """
    if before not in (own, UNARCHIVED):
        try:
            found.close_segment()
        except CannotBackUp:
            return own
    return before if own in before else f"{before} && {own}"


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


def _archive_by(found: Backups, command: str) -> None:
    """Let the server archive each full segment of its log by a command."""
    with found.connected() as connection:
        connection.execute(sql.SQL("alter system set archive_command = {}").format(command))
        connection.execute(b"select pg_reload_conf()")


def _copying(folder: Path) -> str:
    """The command that copies a segment there: whole or not at all, never over another."""
    there = shlex.quote(str(folder).replace("%", "%%")) + "/%f"
    copied = f"cp %p {there}.part && sync {there}.part && mv {there}.part {there}"
    return f"if test -e {there}; then cmp -s %p {there}; else {copied}; fi"


def _named(command: str) -> list[str]:
    """The folders into which a command copies."""
    return [name.replace("%%", "%") for name in COPIED.findall(command)]


def _server_of(segment: Path) -> str:
    """The identifier of the cluster that wrote a segment; it stands in the header of its first page."""
    with segment.open("rb") as file:
        return str(int.from_bytes(file.read(32)[24:], sys.byteorder))


def _size(connection: psycopg.Connection) -> int:
    return int(_value(connection, b"select sum(pg_database_size(oid))::text from pg_database"))


def _server(connection: psycopg.Connection) -> str:
    return _value(connection, b"select system_identifier::text from pg_control_system()")


def _value(connection: psycopg.Connection, query: bytes) -> str:
    row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


SEGMENT = re.compile(r"[0-9A-F]{24}")
COPIED = re.compile(r"if test -e (.+?)/%f;")
FAILED = b"select failed_count::text from pg_stat_archiver"
WAITS = b"select from pg_ls_archive_statusdir() where name = %s || '.ready'"
"""A segment that is not archived yet."""
