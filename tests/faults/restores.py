"""Rounds in which databases are brought back to earlier moments, or topics lost, while all runs."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from confluent_kafka.admin import AdminClient

from deploy.local.programs import SERVICES
from tests.faults.evidence import Evidence
from tests.faults.faults import Fault, Note, lane
from tests.faults.processes import Kill
from tests.faults.theatre import PREFIX, Theatre, answers

COMMAND_MAX_S = 180.0
GONE_MAX_S = 30.0
BACK_MAX_S = 60.0


class Failed(Exception):
    """An operator's command did not do what it is for."""


@dataclass
class Backup(Fault):
    """The backup that databases are brought back from, taken under load."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def strike(self) -> None:
        """Take it. Raises Failed."""
        found = await caretrail(self.theatre, "backup", "--json")
        self.moment = datetime.fromisoformat(found["taken_at"])
        self.told = f"{found['bytes'] >> 20} MB"


@dataclass
class BringBack(Fault):
    """One service's database is brought back to a moment after the backup, while the others run on."""

    backup: Backup | None = None

    async def strike(self) -> None:
        """It is there again, and has lost nothing. Raises Failed."""
        assert self.backup
        name = self.in_turn(SERVICES)
        since = (datetime.now(UTC) - self.backup.moment).total_seconds()
        moment = self.backup.moment + timedelta(seconds=self.draw.uniform(0, since))
        found = await caretrail(self.theatre, "restore", name, "--to", moment.isoformat(), "--json")
        back = (datetime.now(UTC) - moment).total_seconds()
        self.told = (
            f"{name} by {back:.0f} s, {found['taken_in']} events came back, away {found['held_s']:.1f} s"
        )
        if found["lost"] != 0 or found["epoch"] != 1 or not found["ready"]:
            raise Failed(f"{self.told}: {found}")


class LoseTopic(Fault):
    """A topic is deleted, and published again from its store."""

    async def strike(self) -> None:
        """Readers go on without a restart. Raises Failed."""
        name = self.in_turn(SERVICES)
        await asyncio.to_thread(_delete, self.theatre, f"{PREFIX}.{name}.events")
        await self.lasting(0, 10)
        if not await answers(self.theatre, name, BACK_MAX_S):
            raise Failed(f"{name} does not answer")
        found = await caretrail(self.theatre, "topics", "restore", name, "--json")
        self.told = f"{name}, {found['events']} events published again"
        self.struck = found["events"] > 0


def _delete(stage: Theatre, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": stage.direct, "log_level": 2})
    admin.delete_topics([topic])[topic].result(GONE_MAX_S)
    deadline = time.monotonic() + GONE_MAX_S
    while topic in admin.list_topics(timeout=GONE_MAX_S).topics:
        if time.monotonic() > deadline:
            raise Failed(f"{topic} is not gone")
        time.sleep(0.05)


async def caretrail(stage: Theatre, *words: str) -> Any:
    """What an operator's command answers. Raises Failed."""
    path = stage.home / "run" / "stack.json"
    urls = {name: f"http://127.0.0.1:{stage.ports[name]}" for name in SERVICES}
    path.write_text(json.dumps({"kafka_bootstrap": stage.direct, "services": urls}))
    env = {name: value for name, value in os.environ.items() if not name.startswith("CARETRAIL_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *words),
        env={**env, "CARETRAIL_HOME": str(stage.home)},
        cwd=Path.cwd(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(COMMAND_MAX_S):
        out, err = await process.communicate()
    if process.returncode:
        raise Failed(f"caretrail {' '.join(words)}: {err.decode()[-600:]}{out.decode()[-600:]}")
    return json.loads(out)


async def restoring(stage: Theatre, note: Note, seconds: float, seed: int) -> None:
    """Take a backup, then bring databases back from it, one after the other, and kill services beside."""
    backup, began = Backup(stage, Random(f"restores {seed}")), time.monotonic()
    await backup.strike()
    note(backup, began)
    end = time.monotonic() + seconds

    def made(fault: Fault) -> None:
        if isinstance(fault, BringBack):
            fault.backup = backup

    async with asyncio.TaskGroup() as together:
        for kind in (BringBack, Kill):
            draw = Random(f"restores {seed} {kind.__name__}")
            together.create_task(lane(stage, note, draw, end, {kind: 1.0}, made=made))


async def losing_topics(stage: Theatre, note: Note, seconds: float, seed: int) -> None:
    """Lose topics one after the other, and have them published again."""
    end, draw = time.monotonic() + seconds, Random(f"topics {seed}")
    await lane(stage, note, draw, end, {LoseTopic: 1.0})


def readable(evidence: Evidence) -> Iterator[str]:
    """What came before a gap was closed stands before it: who reads on, and back, gets each in its order."""
    for name in SERVICES:
        messages, last = defaultdict[int, list[dict[str, Any]]](list), dict[int, int]()
        for message in evidence.topics[name]:
            messages[message["partition"]].append(message["headers"])
        for partition, found in messages.items():
            for about in found:
                position, prev = int(about["position"]), int(about.get("prev") or 0)
                if position > last.get(partition, 0) == prev:
                    last[partition] = position
        heads = {event["partition"]: event["position"] for event in evidence.stores[name]["events"]}
        for partition, head in heads.items():
            if last.get(partition) != head:
                yield f"{name} [{partition}] can be read to {last.get(partition)}, head {head}"
