"""Rounds in which a release is rolled out under load: in every service old and new code work side by side.

The release is a copy of the tree with a new version of an event, a read model that folds what is new in it, a
further read model, and a column of the ledger under another name: its table is expanded first, and contracted
once all is rolled. While both releases fold, somebody asks for a rebuild; in every other round the old
process is frozen until the new read models serve, and then goes on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random

import aiohttp
import psycopg
from pydantic import SecretStr

from chassis.config import Settings
from deploy.local.programs import ROOT, SERVICES, migrations
from deploy.migration import migrate
from tests.faults.evidence import Evidence
from tests.faults.faults import Fault, Note, lane
from tests.faults.processes import Kill
from tests.faults.read_models import PUTS
from tests.faults.theatre import Theatre, answers, until

PARTS = ("chassis", "cli", "contracts", "deploy", "keystore", "operations", "services", "tests/faults")
"""What a release consists of, and what hurts it."""

CHANGES: tuple[tuple[str, str, str], ...] = (
    (
        "contracts/caretrail_contracts/intake.py",
        'class PatientAdmitted(Event, service="intake"):\n    """An episode of care opened."""\n',
        'class PatientAdmitted(Event, service="intake", version=2):\n    """An episode of care opened."""\n\n'
        '    upcasts: ClassVar[dict[int, Any]] = {1: lambda old: old | {"referred_on": None}}\n'
        "    referred_on: date | None\n",
    ),
    (
        "contracts/caretrail_contracts/intake.py",
        "from datetime import date\n",
        "from datetime import date\nfrom typing import Any, ClassVar\n",
    ),
    (
        "services/intake/commands.py",
        "        admitted_on=command.admitted_on,\n    )\n",
        "        admitted_on=command.admitted_on,\n        referred_on=referral.received_on,\n    )\n",
    ),
    (
        "services/intake/projections/census.py",
        '        "position": "bigint",\n',
        '        "position": "bigint",\n        "referred_on": "date",\n',
    ),
    (
        "services/intake/projections/census.py",
        "    tables = (EPISODES,)\n",
        "    tables = (EPISODES,)\n    version = 2\n",
    ),
    (
        "services/intake/projections/census.py",
        "            position=about.position,\n",
        "            position=about.position,\n            referred_on=event.referred_on,\n",
    ),
    (
        "services/audit/projections.py",
        '        "stream_version": "integer",\n',
        '        "version": "integer",\n',
    ),
    (
        "services/audit/projections.py",
        "            stream_version=about.stream_version,\n",
        "            version=about.stream_version,\n",
    ),
    (
        "services/audit/adapters/stores.py",
        "event_id, service, stream, stream_version, type, patient,",
        "event_id, service, stream, version, version as stream_version, type, patient,",
    ),
    (
        "services/intake/app.py",
        "import Census\n",
        "import Census\nfrom services.intake.projections.arrivals import Arrivals\n",
    ),
    ("services/intake/app.py", "Census(), ", "Census(), Arrivals(), "),
)
"""File, what it says in one place, and what it says instead."""

ARRIVALS = """
from uuid import UUID
from caretrail_contracts.intake import ReferralAccepted, ReferralReceived
from chassis.projection import Projection, Table, on

ARRIVALS = Table(
    "arrivals", key={"referral": "uuid"},
    values={"patient": "uuid", "received_at": "timestamptz", "decided_at": "timestamptz"},
)


class Arrivals(Projection):
    tables = (ARRIVALS,)

    @on(ReferralReceived)
    def received(self, event, about):
        yield ARRIVALS.put(referral=event.referral, patient=event.patient, received_at=about.occurred_at)

    @on(ReferralAccepted)
    def accepted(self, event, about):
        yield ARRIVALS.put(referral=UUID(about.stream[-36:]), decided_at=about.occurred_at)
"""
FOLDED = {
    "intake.arrivals": {
        "referral": "",
        "intake.ReferralReceived": "referral patient received_at=@occurred_at",
        "intake.ReferralAccepted": "referral=@subject decided_at=@occurred_at",
    }
}
"""The read model that is new, and what the checker has to know of it."""

EXPAND = """
alter table ledger add column version integer;
alter table ledger alter column stream_version drop not null;
"""
CONTRACT = """
update ledger set version = stream_version where version is null;
alter table ledger drop column stream_version;
"""

BOTH_S = (4.0, 8.0)
"""How long both releases of a service work side by side."""

STARTS_MAX_S = 60.0
SERVES_MAX_S = 60.0
"""In which the read models are folded anew, once no process of the old release is left."""

FROZEN_MAX_S = 60.0
"""In which they are, once the old process was not seen for 20 s; not where it is killed meanwhile."""

REFUSED = 409
OUTSIDERS = ("payer", "mailbox")


class NotAsKnown(Exception):
    """The tree does not say in one place what a new release changes."""


@dataclass
class Roll(Fault):
    """A service's process of the new release joins, the old one goes, and another new one takes its place."""

    service: str = ""
    release: Path = Path()
    frozen: set[str] = field(default_factory=set)
    """Who is not to be killed just then: it would come back awake."""

    async def strike(self) -> None:
        """The old one is stopped or killed. Raises TimeoutError where the new one does not start."""
        env = environment(self.release)
        name = await self.theatre.join(self.service, STARTS_MAX_S, **env)
        if not name:
            raise TimeoutError(f"the new release of {self.service} does not answer")
        await self.lasting(*BOTH_S)
        both = await self._both(name) if self.service == "intake" else ""
        child, killed = self.theatre.child(self.service), self.draw.random() < 0.5
        if killed:
            self.theatre.signal(self.service, signal.SIGKILL)
        await child.stop()
        child.program = replace(child.program, forked=False, env={**child.program.env, **env})
        self.theatre.programs[self.service] = child.program
        await child.start()
        await answers(self.theatre, self.service, STARTS_MAX_S)
        await self.theatre.leave(name, killed=self.draw.random() < 0.5)
        self.told = f"{self.service}, the old one {'killed' if killed else 'stopped'}{both}"

    async def _both(self, name: str) -> str:
        """While both fold: what a person asks of the new one is refused; the old one is frozen, or works on.

        Raises RuntimeError where it is not refused.
        """
        told, url = "", f"http://127.0.0.1:{self.theatre.replicas[name].program.port}"
        with suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=5)) as session:
                asked = {"action": "rebuild"}
                async with session.post("/internal/projections/Census", json=asked) as response:
                    answer, told = await response.text(), ", a rebuild refused"
            if response.ok or (response.status == REFUSED and "Releases mixed" not in answer):
                raise RuntimeError(f"a rebuild while both releases fold: {response.status} {answer}")
        if self.draw.random() < 0.5:
            return told
        self.frozen.add(self.service)
        try:
            served = await until(self._serves_beside_the_frozen, FROZEN_MAX_S, 1.0)
        finally:
            self.theatre.signal(self.service, signal.SIGCONT)
            self.frozen.clear()
        await self.lasting(*BOTH_S)
        return f"{told}, frozen until the new read models {'served' if served else 'should have served'}"

    def _serves_beside_the_frozen(self) -> bool:
        # Each time anew: a kill may have been under way.
        self.theatre.signal(self.service, signal.SIGSTOP)
        return _served(self.theatre)


def environment(release: Path) -> dict[str, str]:
    """Where a process of a release finds its code, and nowhere else."""
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join((str(release), str(release / "contracts")))}


async def rolling(stage: Theatre, note: Note, seconds: float, seed: int) -> None:
    """Expand, roll every service, contract; services are killed all the while."""
    draw, end = Random(f"rolling {seed}"), time.monotonic() + seconds
    frozen: set[str] = set()
    PUTS.update(FOLDED)

    def spare(kill: Fault) -> None:
        if isinstance(kill, Kill):
            kill.name = kill.draw.choice([name for name in (*SERVICES, *OUTSIDERS) if name not in frozen])

    release = await asyncio.to_thread(make, stage.home / "release")
    async with asyncio.TaskGroup() as together:
        kills = Random(f"rolling kills {seed}")
        together.create_task(lane(stage, note, kills, end, {Kill: 1.0}, made=spare))
        await asyncio.sleep(seconds / 10)
        await asyncio.to_thread(_migrate, stage, release, "0002_expand", EXPAND)
        for service in draw.sample(SERVICES, len(SERVICES)):
            fault, began = (
                Roll(stage, draw, service=service, release=release, frozen=frozen),
                time.monotonic(),
            )
            await fault.strike()
            note(fault, began)
        await asyncio.to_thread(_migrate, stage, release, "0003_contract", CONTRACT)
        await until(partial(_served, stage), SERVES_MAX_S, 1.0)


def _served(stage: Theatre) -> bool:
    """Whether the read models of the release serve; the checker sees what they hold."""
    try:
        with psycopg.connect(stage.store("intake"), connect_timeout=5) as connection:
            found = connection.execute(SERVING).fetchone()
    except psycopg.OperationalError:
        return False
    return found == (2,)


SERVING = """
select count(*) from projections
where (name, version) in (('Census', 2), ('Arrivals', 1)) and mixed_at is null
"""


def make(release: Path) -> Path:
    """Write the new release. Raises NotAsKnown."""
    for part in PARTS:
        shutil.copytree(ROOT / part, release / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in CHANGES:
        text = (release / name).read_text()
        if text.count(old) != 1:
            raise NotAsKnown(f"{name} says {text.count(old)} times: {old.strip()}")
        (release / name).write_text(text.replace(old, new))
    (release / "services/intake/projections/arrivals.py").write_text(ARRIVALS)
    return release


def _migrate(stage: Theatre, release: Path, name: str, statements: str) -> None:
    folder = release / "services" / "audit" / "migrations"
    (folder / f"{name}.sql").write_text(statements)
    settings = Settings(home=stage.home, postgres_url=SecretStr(stage.admin), kafka_bootstrap=stage.direct)
    migrate(settings, {**migrations(), "audit": [folder]})


def rolled(evidence: Evidence) -> Iterator[str]:
    """Both releases wrote, the read model has what is new in the event, and the old column is gone."""
    admitted = [
        one for one in evidence.stores["intake"]["events"] if one["type"].endswith(".PatientAdmitted")
    ]
    versions = [one["version"] for one in admitted]
    for version in (1, 2):
        if version not in versions:
            yield f"no event of version {version} was written"
    for row in evidence.ledger:
        if row.get("version") is None or "stream_version" in row:
            yield f"the ledger's row of {row['event_id']} is not of the new release"
