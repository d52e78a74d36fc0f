"""Restoring one service: its database of a moment takes the live one's place, while the others run on.

All is made ready beside the live database. What the topic holds above the moment is taken in before the two
change names, in one transaction: until then nothing is changed, and after it there is nothing left to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from chassis.config import Settings, database_url
from chassis.service import Service
from deploy.local import hold
from deploy.local.backup import Backups, Base
from deploy.local.programs import migrations
from deploy.local.scratch import NotReached, Scratch, scratch
from deploy.local.supervisor import is_ready
from deploy.migration import MAKE, bring_up_to_date
from operations.draining import NotDrained, NotTaken, drain
from operations.restoring import Behind, recover

GONE_MAX_S = 10.0
"""How long sessions of processes that ended may linger."""

READY_MAX_S = 120.0

IDS_MAX = 10_000
"""Events of the old database looked up in the new one at a time."""


class CannotRestore(Exception):
    """A service cannot be brought back to that moment; its database is as it was, and it runs."""


@dataclass
class Restored:
    """What came of it.

    ``at_position`` is where the log ended at the moment, ``taken_in`` how many events came back from the
    topic, ``lost`` is 0 where the old database was compared (None where it could not be read), ``kept`` is
    the old database's new name, ``held_s`` how long the service was away.
    """

    service: str
    to: datetime
    backup: str
    at_position: int = 0
    taken_in: int = 0
    epoch: int = 1
    lost: int | None = None
    kept: str | None = None
    ready: bool = False
    held_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that the old database gives to the new one."""

    table: str
    columns: str
    since: str = ""
    conflict: str = "do nothing"

    @property
    def given(self) -> str:
        """What the old database is asked."""
        return f"copy (select {self.columns} from {self.table} {self.since}) to stdout"

    @property
    def added(self) -> str:
        """How the new one takes what is aside."""
        return (
            f"insert into {self.table} ({self.columns}) select {self.columns} from aside "
            f"on conflict {self.conflict}"
        )


@dataclass
class Restore:
    """The restore of one service of a home's stack. ``say`` is told each step."""

    settings: Settings
    backups: Backups
    name: str
    at: datetime
    say: Callable[[str], None] = field(default=lambda step: None)

    @property
    def _live(self) -> str:
        return f"{self.settings.database_prefix}_{self.name}"

    @property
    def _fresh(self) -> str:
        return f"{self._live}_restored"

    def _address(self, database: str) -> str:
        return make_conninfo(self.backups.url, dbname=database)

    async def carry_out(self) -> Restored:
        """Do it. Raises CannotRestore, CannotBackUp, NotReached, ToolFailed, Held: all is as it was."""
        with self.backups.alone():
            base = self._base()
            found = Restored(self.name, self.at, base.name)
            try:
                await asyncio.to_thread(self._copy, base)
                await self._take_over(found)
            finally:
                self._drop(self._fresh)
            return found

    def _base(self) -> Base:
        """The newest base backup that was whole by the moment. Raises CannotRestore."""
        bases = self.backups.bases()
        if not bases:
            none = f"there is no backup of this cluster under {self.backups.folder}"
            if others := self.backups.foreign():
                raise CannotRestore(
                    f"{none}; {others} there are of another cluster, and hold its databases, not these: "
                    "where that one is lost, docs/operations/backup.md says how all of it comes back"
                )
            raise CannotRestore(f"{none}: take one with `caretrail backup`")
        with self.backups.connected() as connection:
            (now,) = connection.execute(b"select clock_timestamp()").fetchone() or (None,)
        if now is None or self.at >= now:
            raise CannotRestore(f"{_shown(self.at)} is not over yet: it is {_shown(now or self.at)}")
        before = [base for base in bases if base.at <= self.at]
        if not before:
            raise CannotRestore(
                f"the first backup is of {_shown(bases[0].at)}: no earlier moment can be reached"
            )
        return before[-1]

    def _copy(self, base: Base) -> None:
        """Bring the database back in a scratch cluster, and from there beside the live one."""
        self.backups.see_room(3 * base.bytes)
        self.backups.make_place()
        if here := self.backups.archives():
            self.backups.close_segment()
        self.backups.adopt()
        self.say(f"Bringing {base.name} forward to {_shown(self.at)} in a scratch cluster …")
        with self._scratch(base, here) as there:
            with psycopg.connect(there.url) as connection:
                if not connection.execute(EXISTS, (self._live,)).fetchone():
                    raise CannotRestore(f"at {_shown(self.at)} there was no database of {self.name}")
            self.say(f"Copying {self.name}'s database beside the live one …")
            self._drop(self._fresh)
            with self.backups.connected() as connection:
                connection.execute(MAKE.format(sql.Identifier(self._fresh)))
            tools, dump = self.backups.tools, str(there.folder / "dump")
            tools.run("pg_dump", "-d", make_conninfo(there.url, dbname=self._live), "-Fc", "-Z0", "-f", dump)
            tools.run("pg_restore", "-d", self._address(self._fresh), "-1", "--exit-on-error", dump)
        own = migrations()[self.name]
        bring_up_to_date(self.backups.url, self._fresh, self._live, own)
        with psycopg.connect(self._address(self._fresh), autocommit=True) as fresh:
            fresh.execute(b"analyze")

    @contextmanager
    def _scratch(self, base: Base, here: bool) -> Iterator[Scratch]:
        """A scratch cluster as of the moment; where that is not reached, says whether the log is ``here``."""
        try:
            with scratch(self.backups, base, self.at) as there:
                yield there
        except NotReached as error:
            if here:
                raise
            elsewhere = f"PostgreSQL's log is archived elsewhere by now, not into {self.backups.wal}"
            raise NotReached(f"{error}; {elsewhere}") from None

    async def _take_over(self, found: Restored) -> None:
        """Stop the service, complete the copy, let it take the live one's place, let the service start."""
        service: Service = import_module(f"services.{self.name}.app").service
        self.say(f"Stopping {self.name}; the others run on …")
        began = time.monotonic()
        async with self._held() as stopped:
            old = self._exists(self._live)
            if old:
                self._see_alone()
            known = old and await self._learned(service)
            if not known:
                self._place(None)
            await self._take_in(service, found)
            if known:
                self._see_all(found.at_position)
                found.lost = 0
                self._complete(COMMANDS, found.at_position)
            found.kept = self._swap(old)
        self.say(f"Waiting until {self.name} is ready …")
        found.ready = await self._ready({process.pid for process in stopped})
        found.held_s = time.monotonic() - began

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[list[hold.Process]]:
        held = hold.held(self.settings.home, self.name, "a restore")
        stopped = await asyncio.to_thread(held.__enter__)
        try:
            yield stopped
        finally:
            held.__exit__(None, None, None)

    async def _learned(self, service: Service) -> bool:
        """Publish and copy what only the old database holds; False where it can no longer be read."""
        try:
            await drain(service, self.settings)
            for rows in UNPUBLISHED:
                self._complete(rows)
            with psycopg.connect(self._address(self._live)) as old:
                (seen,) = old.execute(SEEN).fetchone() or (None,)
                (number,) = old.execute(NUMBER).fetchone() or (None,)
        except NotTaken as error:
            raise CannotRestore(
                f"the database of {self.name} holds events that its topic does not, and they cannot be "
                f"published: {error}"
            ) from None
        except (psycopg.Error, NotDrained) as error:
            why = str(error) if isinstance(error, NotDrained) else type(error).__name__
            self.say(f"The old database cannot be used ({why}): the topic alone is asked.")
            return False
        self._place(seen)
        with psycopg.connect(self._address(self._fresh)) as fresh:
            fresh.execute(GO_ON, (number,))
        return True

    async def _take_in(self, service: Service, found: Restored) -> None:
        role = make_conninfo(database_url(self.settings, self.name), dbname=self._fresh)
        try:
            await recover(service, self.settings, role)
        except Behind as error:
            raise CannotRestore(str(error)) from None
        with psycopg.connect(self._address(self._fresh)) as fresh:
            row = fresh.execute(RESTORED).fetchone()
        assert row is not None
        found.at_position, found.taken_in, found.epoch = row

    def _see_alone(self) -> None:
        """See that no process of the service is left. Raises CannotRestore."""
        deadline = time.monotonic() + GONE_MAX_S
        with self.backups.connected() as connection:
            while (count := len(connection.execute(SESSIONS, (self._live, self._live)).fetchall())) > 0:
                if time.monotonic() > deadline:
                    raise CannotRestore(
                        f"{count} sessions of {self.name} are open that this stack did not start: "
                        "stop all of its processes"
                    )
                time.sleep(0.05)

    def _complete(self, rows: Rows, after: int = 0) -> None:
        """Add rows of the old database to the copy, where they are not there."""
        with (
            psycopg.connect(self._address(self._live)) as old,
            psycopg.connect(self._address(self._fresh)) as fresh,
        ):
            fresh.execute(f"create temp table aside (like {rows.table})".encode())
            with (
                old.cursor().copy(rows.given.encode(), (after,) if rows.since else ()) as reading,
                fresh.cursor().copy(f"copy aside ({rows.columns}) from stdin".encode()) as writing,
            ):
                for data in reading:
                    writing.write(data)
            fresh.execute(rows.added.encode())

    def _place(self, seen: str | None) -> None:
        """Let the copy be taken for restored, and say how far the old database was, where that is known."""
        with psycopg.connect(self._address(self._fresh)) as fresh:
            fresh.execute(PLACE, (seen,))

    def _see_all(self, after: int) -> None:
        """See that the copy has each event of the old database. Raises CannotRestore."""
        if count := self._lacking(after):
            raise CannotRestore(
                f"the topic of {self.name} lacks {count:,} events that its database has: "
                f"`caretrail topics restore {self.name}` publishes them first"
            )

    def _lacking(self, after: int) -> int:
        """How many events of the old database the new one lacks."""
        count = 0
        with (
            psycopg.connect(self._address(self._live)) as old,
            psycopg.connect(self._address(self._fresh)) as fresh,
            old.cursor("events") as reading,
        ):
            reading.execute(b"select stream, stream_version, id from events where position > %s", (after,))
            while rows := reading.fetchmany(IDS_MAX):
                (lacking,) = fresh.execute(
                    LACKING, [list(column) for column in zip(*rows, strict=True)]
                ).fetchone() or (0,)
                count += lacking
        return count

    def _swap(self, old: bool) -> str | None:
        """Let the copy take the live database's place, in one transaction; the old one's new name."""
        kept = f"{self._live}_before_{datetime.now(UTC):%Y%m%dt%H%M%S}" if old else None
        changes = [(self._live, kept)] if kept else []
        with self.backups.connected() as connection:
            connection.execute(CUT_OFF, ([self._live, self._fresh],))
            with connection.transaction():
                for name, new in (*changes, (self._fresh, self._live)):
                    connection.execute(RENAME.format(sql.Identifier(name), sql.Identifier(new)))
        return kept

    def _exists(self, database: str) -> bool:
        with self.backups.connected() as connection:
            return connection.execute(EXISTS, (database,)).fetchone() is not None

    def _drop(self, database: str) -> None:
        with self.backups.connected() as connection:
            drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database))
            connection.execute(drop)

    async def _ready(self, before: set[int]) -> bool:
        """Whether all processes of the service, started anew, are ready in time; nobody waits for none."""
        if not before:
            return True
        deadline = time.monotonic() + READY_MAX_S
        while time.monotonic() < deadline:
            found = hold.processes(self.settings.home, self.name)
            new = [process for process in found if process.pid not in before]
            urls = [f"http://127.0.0.1:{process.port}/health/ready" for process in new]
            if len(new) == len(found) > 0 and all([await is_ready(url) for url in urls]):
                return True
            await asyncio.sleep(0.1)
        return False


def _shown(at: datetime) -> str:
    return at.astimezone().isoformat(timespec="milliseconds")


UNPUBLISHED = (
    Rows("reservations", "scope, key, owner"),
    Rows("effects_done", "effect, event_id"),
    Rows("effect_starts", "effect, position"),
)
"""What is on no topic: who holds a key, effects done without leaving an event, where they begin."""

COMMANDS = Rows(
    "commands",
    "command_id, digest, position, streams, refusal",
    since="where position >= %s",
    conflict="(command_id) do update set digest = excluded.digest where commands.digest is null",
)
"""Commands without events are on no topic, nor are digests; to be remembered where no event is lost."""

EXISTS = b"select 1 from pg_database where datname = %s"
SESSIONS = b"select pid from pg_stat_activity where datname = %s and usename = %s"
SEEN = b"""
select coalesce(jsonb_object_agg(partition, head), '{}')::text
from (select partition, max(position) as head from events group by partition) as heads
"""
NUMBER = b"select last_value from parked_id_seq"
GO_ON = b"select setval('parked_id_seq', greatest(last_value, %s)) from parked_id_seq"
"""No number of a parked record is given again: people name records by it."""
PLACE = b"""
insert into place (server, database, timeline, seen) values ('', 0, 0, %s::jsonb)
on conflict (single) do update
set server = excluded.server, database = excluded.database, timeline = excluded.timeline, seen = excluded.seen
"""
RESTORED = b"select head, imported, epoch from restores order by restored_at desc limit 1"
LACKING = b"""
select count(*) from unnest(%s::text[], %s::integer[], %s::uuid[]) as old (stream, stream_version, id)
where not exists (
    select from events e where (e.stream, e.stream_version, e.id) = (old.stream, old.stream_version, old.id)
)
"""
CUT_OFF = b"select pg_terminate_backend(pid) from pg_stat_activity where datname = any (%s)"
RENAME = sql.SQL("alter database {} rename to {}")
