"""The plays that journeys look at, each played once for all tests of the folder."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from email.message import Message as EmailMessage
from itertools import count
from typing import Any

import httpx
import psycopg
import pytest
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP

from deploy.local.demo.cohort import cohort
from tests.journeys.killing import Killing, final_events, kill_midway
from tests.journeys.outcome import Outcome, outcome
from tests.journeys.records import Fact
from tests.journeys.search import files, messages, secrets_of, sightings, tables, unaddressed
from tests.journeys.stage import Stage, staged
from tests.journeys.topics import published, records

PATIENTS, WEEKS = 4, 1
"""A cohort small enough for a test, in which people are seated, billed, paid and written to."""

KILLED = os.environ.get("CARETRAIL_TEST_KILLED", "billing")
"""The service that is killed; name another one to try it."""

APART = ("billing", "notifications")
"""Services that run as a process for each role in one of the plays: they have effects, a watch and timers."""

ELSEWHERE = {"TZ": "America/St_Johns", "PGOPTIONS": "-c timezone=America/St_Johns"}
"""A machine and sessions of the database in another zone than the others are in."""

PACE = {"CARETRAIL_POSTING_EVERY_S": "1800"}
"""As in the demonstration: messages are posted together each half hour."""


@dataclass(frozen=True)
class Tampered:
    """Events that a superuser touched, and what the check said afterwards."""

    deleted: Fact
    flipped: Fact
    check: dict[str, Any]


@dataclass(frozen=True)
class Plays:
    """A play with what its topics hold, what was found of persons and after tampering; another with a kill;
    one of another seed; that one again in another zone with the roles of some services apart, and with a
    mail server of somebody else's, which took ``delivered``.
    """

    first: Outcome
    on_topics: set[Fact]
    seen: list[str]
    looked_through: int
    tampered: Tampered
    killed: Outcome
    killing: Killing
    other: Outcome
    apart: Outcome
    processes: set[str]
    delivered: list[str]


def eventful(first: int) -> int:
    """The first seed from here on whose people all come early, somebody at risk among them."""
    for seed in count(first):
        people = cohort(seed, PATIENTS)
        early = all(one.day <= 2 and not one.declines for one in people)
        if early and any(one.at_risk for one in people):
            return seed
    raise AssertionError("there is no end to seeds")


@pytest.fixture(scope="session")
def plays(servers: dict[str, str]) -> Plays:
    """Every play, in turn."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PACE.items():
            patch.setenv(name, value)
        return asyncio.run(_plays(servers))


async def _plays(servers: dict[str, str]) -> Plays:
    seed = eventful(1)
    async with staged(servers, seed) as stage:
        await stage.play(PATIENTS, WEEKS)
        first = outcome(stage, PATIENTS)
        found = await records(stage)
        texts = [*messages(found), *tables(stage), *files(stage.home, apart=("payer", "mailbox"))]
        mails = [*files(stage.home / "mailbox")]
        secrets = secrets_of(first.cohort)
        seen = sightings(texts, secrets) + sightings(mails, unaddressed(secrets))
        on_topics = published(stage, found)
        tampered = await _tamper(stage, first)
    async with staged(servers, seed) as stage:
        final = final_events(KILLED, first.facts)
        async with asyncio.TaskGroup() as together:
            killing = together.create_task(kill_midway(stage, KILLED, final))
            together.create_task(stage.play(PATIENTS, WEEKS))
        killed = outcome(stage, PATIENTS)
    async with staged(servers, eventful(seed + 1)) as stage:
        await stage.play(1, WEEKS)
        other = outcome(stage, 1)
    apart, processes, delivered = await _apart(servers, eventful(seed + 1))
    return Plays(
        first=first,
        on_topics=on_topics,
        seen=seen,
        looked_through=len(texts) + len(mails),
        tampered=tampered,
        killed=killed,
        killing=killing.result(),
        other=other,
        apart=apart,
        processes=processes,
        delivered=delivered,
    )


class Taken(Message):
    """A mail server of somebody else's: the Message-ID of each mail that it took."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def handle_message(self, message: EmailMessage) -> None:
        """Take one."""
        self.ids.append(str(message["message-id"]))


async def _apart(servers: dict[str, str], seed: int) -> tuple[Outcome, set[str], list[str]]:
    """A play with roles apart, in another zone, whose mails go to a server that the environment names."""
    taken = Taken()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(taken), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ELSEWHERE, "CARETRAIL_SMTP_URL": f"smtp://127.0.0.1:{port}"}.items():
            patch.setenv(name, value)
        async with server, staged(servers, seed, APART) as stage:
            processes = {path.stem for path in (stage.home / "run").glob("*.json")}
            await stage.play(1, WEEKS)
            patch.undo()
            return outcome(stage, 1), processes, taken.ids


async def _tamper(stage: Stage, played: Outcome) -> Tampered:
    """Delete a row of the ledger, flip a bit in the middle of a stored body, and check."""
    deleted = next(f for f in played.facts if f.service == "clinical" and f.stream_version == 1)
    flipped = next(f for f in played.facts if f.service == "intake" and f.type.endswith("PatientAdmitted"))
    _execute(stage.database("audit"), b"delete from ledger where event_id = %s", deleted.id)
    _execute(stage.database("intake"), FLIP, flipped.id)
    headers = {
        "Caretrail-Actor": "staff-9;compliance",
        "Caretrail-Purpose": "HOPERAT",
        "Idempotency-Key": "check after tampering",
    }
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{stage.stack.urls['audit']}/integrity-checks", headers=headers)
    return Tampered(deleted, flipped, answer.raise_for_status().json())


FLIP = b"""
update events set body = set_byte(body, length(body) / 2, get_byte(body, length(body) / 2) # 1) where id = %s
"""


def _execute(address: str, statement: bytes, event: str) -> None:
    with psycopg.connect(address) as connection:
        assert connection.execute(statement, (event,)).rowcount == 1
