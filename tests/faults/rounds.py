"""A round: a fresh stack under load that is hurt for some time, then left alone, then looked at."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import traceback
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.revision import revision
from tests.faults import partitions, stumbles
from tests.faults.checker import READS, RULES, Finding, Rule, check
from tests.faults.evidence import SERVICES, Evidence, gather
from tests.faults.faults import Fault, Hurt, Note, lane
from tests.faults.forgeries import FORGERIES, Forgery, Press
from tests.faults.history import History
from tests.faults.load import Load
from tests.faults.processes import PROCESSES
from tests.faults.surroundings import SURROUNDINGS, DiskFull
from tests.faults.theatre import BACK_MAX_S, Theatre, theatre

BEGINS = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday morning in New York."""

DAYS = 6
"""Days of care that pass in a round, at most one in 30 s."""

FULL_SCALE_S = 600.0
"""A round this long has faults at their full length, a shorter one shorter ones."""

CALM_MAX_S = 90.0

ENDS = "the round comes to its end"
"""What does not hold where something broke: the stack, a fault, or this harness."""

TOLD_MAX = 200
"""Of each error so many characters are told."""


@dataclass
class Round:
    """What a round came to."""

    seed: int
    seconds: float
    faults: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    events: int = 0
    servers_s: float | None = None
    """After how long PostgreSQL and Kafka served again once nothing was done to them, none if they did not.

    The lag counts from then: until then services are still without a server that was killed.
    """

    lag_s: float | None = None
    last_behind: list[str] = field(default_factory=list)
    """What was behind last before the lag was gone."""

    findings: list[Finding] = field(default_factory=list)
    disks: list[str] = field(default_factory=list)
    at: str = ""
    kind: str = "faults"
    """What was done: faults of all kinds, or those of one kind of round."""

    load: float | None = None
    """The machine's load average over a minute, the mean of a look every few seconds."""

    processors: int | None = None
    remark: str = ""
    """What became of its findings, from whoever looked into them."""

    code: str | None = None
    """The revision of the code; none where that is not known."""

    bug: str = ""
    """The bug that was seeded, which is what such a round is about: it counts for nothing else."""

    def note(self, fault: Fault, began: float) -> None:
        """Put down a fault that is over; ``began`` is of the monotonic clock."""
        about = {"at": round(began - self._began, 1), "kind": type(fault).__name__, "told": fault.told}
        lasted = round(time.monotonic() - began, 1)
        self.faults.append({**about, "seconds": lasted, "struck": fault.struck})

    def starts(self) -> None:
        """The stack is hurt from now on."""
        self._began, self._at = time.monotonic(), time.time()

    def timed(self) -> list[dict[str, Any]]:
        """Faults with the machine's time at which each began and ended."""
        times = ((self._at + one["at"], self._at + one["at"] + one["seconds"]) for one in self.faults)
        return [
            {"kind": one["kind"], "told": one["told"], "began": began, "ended": ended}
            for one, (began, ended) in zip(self.faults, times, strict=True)
        ]

    def breaks(self, error: Exception, home: Path) -> None:
        """It came to no end: that is a finding, and the seconds are those that it lasted."""
        began = getattr(self, "_began", None)
        self.seconds = round(time.monotonic() - began, 1) if began else 0.0
        causes = "; ".join(dict.fromkeys(_causes(error))).replace(str(home), home.name)
        self.findings.append(Finding(ENDS, f"{causes}; seed {self.seed}, logs in {home.name}"))
        home.mkdir(parents=True, exist_ok=True)
        (home / "broken.txt").write_text("".join(traceback.format_exception(error)))

    @property
    def ended(self) -> bool:
        """Whether it came to its end."""
        return all(finding.rule != ENDS for finding in self.findings)


@dataclass(frozen=True)
class Kind:
    """A kind of round: what is done, and the stack that it is done to."""

    name: str
    hurt: Hurt
    brokers: int = 1
    disks: bool = False
    slow: float = 1.0
    """How many times as long most clients rest as in a round that has the machine to itself."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    """What must hold besides, or in place of the rule of that name."""


async def play(home: Path, seconds: float, seed: int, kind: Kind | None = None) -> tuple[Round, Evidence]:
    """One round; its home is left as it is."""
    found = Round(seed, seconds)
    return found, await fill(found, home, kind or EVERYTHING)


def whole(found: Round, home: Path, kind: Kind) -> None:
    """Play a round; what keeps it from its end is a finding too, beside what was done until then."""
    try:
        asyncio.run(fill(found, home, kind))
    except Exception as error:
        found.breaks(error, home)


async def fill(found: Round, home: Path, kind: Kind) -> Evidence:
    """Play a round, and put down in it what it comes to."""
    seconds, seed = found.seconds, found.seed
    found.at, found.kind = datetime.now(UTC).isoformat(timespec="seconds"), kind.name
    found.code = revision()
    rate = DAYS * 86_400 / max(seconds, 30.0)
    disks, brokers = kind.disks, kind.brokers
    async with theatre(home, BEGINS, rate, disks=disks, bug=found.bug, brokers=brokers) as stage:
        found.disks, found.processors = stage.disks, os.cpu_count()
        history = History(stage, seed)
        load = Load(history, stage.clock, seed, slow=kind.slow)
        try:
            await load.prepare()
            async with asyncio.TaskGroup() as together:
                together.create_task(load.run())
                found.starts()
                together.create_task(_until_hurt(kind.hurt(stage, found.note, seconds, seed), history, found))
                together.create_task(_feel(found, history))
            stage.clock.turn_at(1.0)
            found.servers_s = await _serving(stage)
            calms = [await calm(stage, SOON)]
            await load.last_words()
            calms.append(await calm(stage, SOON))
            # While the stores are read, and then the topics, no time passes in which a timer could come due.
            stage.clock.turn_at(0.0)
            calms.append(await calm(stage))
        finally:
            await history.close()
        addresses = {name: stage.store(name) for name in SERVICES}
        evidence = await asyncio.to_thread(
            gather, addresses, stage.direct, home, history.told(), stage.injected
        )
        evidence.now, evidence.errors = stage.clock.now().isoformat(), stumbles.logged(home)
    found.lag_s, found.last_behind = calms[0].after_s, calms[0].last
    evidence.lag_s, evidence.last_behind, evidence.faults = found.lag_s, found.last_behind, found.timed()
    evidence.behind = [each for one in calms if one.after_s is None for each in one.last]
    evidence.save(home / "evidence.json.gz")
    sum_up(found, evidence, kind.rules)
    return evidence


def _causes(error: BaseException) -> Iterator[str]:
    """The class of each error of a group, and the beginning of what it says."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _causes(each)
    else:
        yield f"{type(error).__name__}: {' '.join(str(error).split())[:TOLD_MAX]}".rstrip(": ")


def sum_up(found: Round, evidence: Evidence, rules: Mapping[str, Rule] = MappingProxyType({})) -> None:
    """Check the evidence, by further rules and such in place of others, and count."""
    found.findings = check(evidence, {**RULES, **rules})
    found.events = sum(len(store["events"]) for store in evidence.stores.values())
    for operation in evidence.history:
        found.outcomes[operation["outcome"]] = found.outcomes.get(operation["outcome"], 0) + 1


def clear(home: Path) -> None:
    """Remove a round's home."""
    shutil.rmtree(home, ignore_errors=True)


async def _until_hurt(hurting: Awaitable[None], history: History, found: Round) -> None:
    """Clients work for the time given, or longer where what is begun takes longer."""
    began = time.monotonic()
    await hurting
    await asyncio.sleep(max(0.0, found.seconds - (time.monotonic() - began)))
    history.over, found.seconds = True, round(time.monotonic() - began, 1)


async def _feel(found: Round, history: History) -> None:
    """How much work the machine has, from all who share it."""
    looks = []
    while not history.over:
        looks.append(os.getloadavg()[0])
        found.load = round(sum(looks) / len(looks), 1)
        await asyncio.sleep(5)


async def everything(stage: Theatre, note: Note, seconds: float, seed: int) -> None:
    """Three lanes of faults side by side, each one after the other."""
    end, press = time.monotonic() + seconds, Press(stage.direct, seed, stage.injected)
    scale = scale_of(seconds)

    def made(fault: Fault) -> None:
        if isinstance(fault, Forgery):
            fault.press = press

    lanes: tuple[tuple[type[Fault], ...], ...] = (PROCESSES, SURROUNDINGS, FORGERIES)
    async with asyncio.TaskGroup() as together:
        for number, kinds in enumerate(lanes):
            draw = Random(f"faults {seed} {number}")
            weights = {kind: 0 if kind is DiskFull and not stage.disks else kind.weight for kind in kinds}
            together.create_task(lane(stage, note, draw, end, weights, scale, made))


def scale_of(seconds: float) -> float:
    """By what the faults of a round are shortened."""
    return min(1.0, seconds / FULL_SCALE_S)


EVERYTHING = Kind("faults", everything, disks=True)


async def _serving(stage: Theatre) -> float | None:
    """Wait until the servers serve; after how long they did."""
    began = time.monotonic()
    while (took := time.monotonic() - began) < BACK_MAX_S:
        if await asyncio.to_thread(_serve, stage):
            return round(took, 1)
        await asyncio.sleep(0.2)
    return None


def _serve(stage: Theatre) -> bool:
    try:
        psycopg.connect(stage.admin, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return partitions.not_led(stage.direct) == 0


SOON = timedelta(seconds=3)
"""While the clock turns, a timer that is due so soon is waited for."""


@dataclass(frozen=True)
class Calm:
    """After how many seconds nothing was behind, none where that was not seen; and what was behind last."""

    after_s: float | None
    last: list[str]


async def calm(stage: Theatre, soon: timedelta = timedelta()) -> Calm:
    """Wait until nothing is behind, seen three times in a row."""
    began, first, seen, last = time.monotonic(), 0.0, 0, list[str]()
    addresses = {name: stage.store(name) for name in SERVICES}
    while time.monotonic() - began < CALM_MAX_S:
        try:
            left = await asyncio.to_thread(behind, addresses, stage.clock.now() + soon)
        except psycopg.Error as error:
            left = [type(error).__name__]
        seen, last = (0, left) if left else (seen + 1, last)
        if seen == 1:
            first = time.monotonic() - began
        if seen == 3:
            return Calm(first, last)
        await asyncio.sleep(1)
    return Calm(None, last)


def behind(stores: dict[str, str], due: datetime) -> list[str]:
    """What is not relayed, consumed, fired or sent yet, of timers what is due at that time."""
    heads, own, read = dict[tuple[str, int], int](), dict[str, Any](), dict[tuple[str, str, int], int]()
    for name, address in stores.items():
        with psycopg.connect(address, row_factory=dict_row, connect_timeout=5) as connection:
            for row in connection.execute("select partition, max(position) as p from events group by 1"):
                heads[name, row["partition"]] = row["p"]
            own[name] = connection.execute(STANDING.encode(), (due,)).fetchone()
            for row in connection.execute(READ):
                read[name, row["source"].split(":")[2], row["partition"]] = row["position"]
    found = []
    for name, standing in own.items():
        found += [f"{name} {what} {count}" for what, count in standing.items() if count]
        found += [
            f"{name} of {source} [{partition}]"
            for (source, partition), head in heads.items()
            if source in READS[name] and read.get((name, source, partition), 0) < head
        ]
    return found


READ = "select partition, source, position from positions where source like '%:main'"
STANDING = """
select
    (select coalesce(max(position), 0) from events)
        - (select coalesce(max(position), 0) from relay_mark) as unrelayed,
    (select coalesce(max(position), 0) from events)
        - (select coalesce(max(position), 0) from positions where topic = 'store') as unread,
    (
        select count(*) from events e
        where (e.type like '%%.MessageReleased' or e.type like '%%.StaffNoticeReleased') and not exists (
            select from events s where s.stream = e.stream and s.position > e.position
        )
    ) as unsent,
    (select count(*) from timers where due_at <= %s) as unfired,
    (select count(*) from rebuilds where ended_at is null) as rebuilding
"""
