"""A timer that cannot be fired keeps no other from it, and is told: on real servers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from chassis import timers
from chassis.command import Command, Commit, Handlers, Work
from chassis.database import Database
from chassis.refusal import Conflict
from tests.chassis import toy
from tests.chassis.test_engine import types
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers

PAST = datetime.now(UTC) - timedelta(hours=1)


async def referred(run: Running, times: int) -> list[UUID]:
    """Referrals that may be accepted."""
    for _ in range(times):
        await run.post("intake", "/referrals", {"patient": str(uuid4())})
    records = await run.runtime("intake").ground.store.read(0, times)
    return [UUID(record.envelope.stream.removeprefix("referral-")) for record in records]


async def due(database: Database, *timers: tuple[str, dict[str, str]]) -> None:
    """Timers that are due in this order: each the name and body of its command."""
    async with database.transaction() as connection:
        for number, (command, body) in enumerate(timers):
            values = (str(number), PAST + timedelta(seconds=number), command, Jsonb(body), uuid4(), uuid4())
            await connection.execute(
                "insert into timers (key, due_at, command, body, event_id, correlation_id)"
                " values (%s, %s, %s, %s, %s, %s)",
                values,
            )


async def until_left(database: Database, *keys: str) -> None:
    async with asyncio.timeout(20):
        while [row["key"] for row in await database.rows("select key from timers order by due_at")] != [
            *keys
        ]:
            await asyncio.sleep(0.05)


async def test_those_that_are_broken_keep_back_none_that_comes_after_them_and_are_told(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "BATCH_MAX", 3)
    async with running(toy.INTAKE) as run:
        found, database = run.runtime("intake").timers, run.runtime("intake").ground.database
        assert found
        [referral] = await referred(run, 1)
        await due(database, *[("NoSuch", dict[str, str]())] * 7, ("Accept", {"referral": str(referral)}))
        await until_left(database, *"0123456")
        async with asyncio.timeout(20):
            while found.fault != "7 not fired":
                await asyncio.sleep(0.05)
        ready = await run.get("intake", "/health/ready")
        assert (ready.status_code, ready.json()["faults"], ready.json()["minor"]) == (
            200,
            [],
            ["timers: 7 not fired"],
        )
        await database.rows("delete from timers returning 1")
        async with asyncio.timeout(20):
            while found.fault is not None:
                await asyncio.sleep(0.05)


async def test_one_that_is_overtaken_keeps_back_no_other_and_is_tried_again(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide, hot, over = Handlers.decide, list[UUID](), asyncio.Event()

    async def overtaken(handlers: Handlers, command: Command, work: Work) -> Commit:
        if isinstance(command, toy.Accept) and command.referral in hot and not over.is_set():
            raise Conflict
        return await decide(handlers, command, work)

    monkeypatch.setattr(Handlers, "decide", overtaken)
    async with running(toy.INTAKE) as run:
        database = run.runtime("intake").ground.database
        referrals = await referred(run, 3)
        hot.append(referrals[0])
        await due(database, *[("Accept", {"referral": str(each)}) for each in referrals])
        await until_left(database, "0")
        over.set()
        await until_left(database)
        assert (await types(run, "intake")).count("ReferralAccepted") == 3
