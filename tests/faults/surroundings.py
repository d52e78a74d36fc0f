"""What is done around processes: to servers, connections and disks."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from deploy.local.programs import SERVICES
from tests.faults.faults import DOWN, Fault
from tests.faults.history import ANSWER_MAX_S
from tests.faults.proxy import Proxy
from tests.faults.theatre import until
from tests.faults.wire import APPEND, COMMIT

LOST_MAX_S = 5.0
"""In which what is to be lost comes by."""

TAKEN_OVER_MAX_S = 30.0
"""In which a process whose database is another has ended, and the next one is there."""


class KillPostgres(Fault):
    """The whole cluster ends at once, for every service, and is started again."""

    async def strike(self) -> None:
        """Immediate shutdown, or kill -9 of the first process."""
        number = self.draw.choice((signal.SIGQUIT, signal.SIGKILL))
        pid = self.theatre.postmaster()
        self.struck = bool(pid) and _is_there(pid)
        if self.struck:  # 0 would be this process and all that it started
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        await until(lambda: not _is_there(pid), 20)
        await self.lasting(0, 6)
        took = await self.theatre.restart_postgres()
        self.told = f"{number.name}, back in {took:.1f} s" if self.struck else DOWN


def _is_there(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


class TakeOver(Fault):
    """A standby that lacks nothing takes over from one database: its service's processes end, and what they
    are followed by opens an epoch."""

    async def strike(self) -> None:
        """The database stands elsewhere, by what it tells; the first process of the service is another."""
        name = self.told = self.in_turn(SERVICES)
        before = self.theatre.pid(name)
        try:
            connection = await psycopg.AsyncConnection.connect(self.theatre.store(name), autocommit=True)
        except psycopg.OperationalError:
            self.told, self.struck = f"{name} {DOWN}", False
            return
        async with connection:
            await connection.execute("update place set timeline = timeline - 1")
        await until(lambda: self.theatre.pid(name) not in (0, before), TAKEN_OVER_MAX_S)


class CutAfterCommit(Fault):
    """The answer to what was made durable is lost: it is carried out, and the service does not know.

    Ends of consumers' transactions, and the statement that writes clients' commands. Now and then who lost
    one is not let in again until clients have given up: to them it remains unknown.
    """

    weight = 4

    async def strike(self) -> None:
        """The next few of each that pass."""
        database = self.theatre.database
        wanted = Counter({COMMIT: self.draw.randrange(1, 4), APPEND: self.draw.randrange(1, 4)})
        database.to_lose = wanted.copy()
        database.refuses = self.stays_out
        await until(lambda: not database.to_lose.total(), LOST_MAX_S)
        await asyncio.sleep(ANSWER_MAX_S + 1 if self.stays_out else 0)
        lost, database.to_lose = wanted - database.to_lose, Counter()
        self.told, self.struck = f"{lost[COMMIT]} commits, {lost[APPEND]} appends", lost.total() > 0
        if self.stays_out:
            database.refuses = False
            self.told += ", and not let in again until clients gave up"

    @property
    def stays_out(self) -> bool:
        """Whether the second of a lane, then every fifth."""
        return self.turn % 5 == 1


class Cut(Fault):
    """Every connection to a server ends at once; for a while none is taken."""

    weight = 2

    async def strike(self) -> None:
        """Clients connect again."""
        proxy = self.proxy()
        before, proxy.refuses = proxy.refused, self.draw.random() < 0.5
        sides = proxy.cut()
        await self.lasting(0, 8)
        proxy.refuses = False
        refused = proxy.refused - before
        self.told, self.struck = f"{sides} sides, {refused} refused", bool(sides or refused)

    def proxy(self) -> Proxy:
        """What stands before the server."""
        raise NotImplementedError


class CutDatabase(Cut):
    """That of the databases."""

    def proxy(self) -> Proxy:
        """Every service's."""
        return self.theatre.database


class CutBroker(Cut):
    """Kafka."""

    def proxy(self) -> Proxy:
        """Every client's, but for lookers-on."""
        return self.theatre.broker


class KillBroker(Fault):
    """Kill -9 of the Kafka broker; it comes again by itself."""

    async def strike(self) -> None:
        """It starts from its log."""
        self.struck = self.theatre.signal("kafka", signal.SIGKILL)
        self.told = "" if self.struck else DOWN
        await until(lambda: self.theatre.pid("kafka") != 0, 15)
        await self.lasting(2, 6)


class SlowNetwork(Fault):
    """Each packet to a server and back takes longer."""

    async def strike(self) -> None:
        """For a while."""
        proxy = self.draw.choice((self.theatre.database, self.theatre.broker))
        before, proxy.delay_s = proxy.delayed, self.draw.choice((0.01, 0.05, 0.2))
        self.told = f"{'database' if proxy is self.theatre.database else 'broker'} {proxy.delay_s} s"
        await self.lasting(4, 15)
        proxy.delay_s, self.struck = 0.0, proxy.delayed > before


@dataclass
class DiskFull(Fault):
    """The disk of PostgreSQL or of Kafka is full for a while; only where they have small ones."""

    ballasts: list[Path] = field(default_factory=list)
    weight = 0.7

    async def strike(self) -> None:
        """Fill it, and make room again."""
        if not self.theatre.disks:
            self.told, self.struck = "no small disk here", False
            return
        self.told = self.draw.choice(self.theatre.disks)
        ballast = self.theatre.home / self.told / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await self.lasting(3, 8)
        ballast.unlink()
        if self.told == "postgres":
            took = await self.theatre.restart_postgres()
            self.told += f", answers after {took:.1f} s"


def _fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 65_536)


SURROUNDINGS: tuple[type[Fault], ...] = (
    KillPostgres,
    TakeOver,
    CutAfterCommit,
    CutDatabase,
    CutBroker,
    KillBroker,
    SlowNetwork,
    DiskFull,
)
"""What happens around them."""
