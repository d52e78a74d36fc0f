"""What a person decided of parked records and readers holds after a restore, each time on record."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from caretrail_contracts.envelope import topic_of
from caretrail_contracts.system import RecordDiscarded, RecordRedriven

from chassis import effects
from chassis.config import Settings
from tests.chassis.toy import INTAKE, SCHEDULING, Faults
from tests.conftest import Run
from tests.operations.test_consumers import noticed, tell
from tests.operations.test_parked import Letters, events, listed, poison, received, redrive, refer
from tests.operations.test_restoring import keep, set_back
from tests.running import Running

__all__ = ["poison"]
pytestmark = pytest.mark.servers


async def discard(run: Running, id: int, service: str = "scheduling") -> None:
    answer = await run.post(service, f"/internal/parked/{id}/discard", {"reason": "a test of the source"})
    assert answer.status_code == 200, answer.text


async def assert_rebuilt_alike(run: Running) -> None:
    """A fold anew of what is on record gives the rows that serve."""
    client = run.clients["scheduling"]
    await client.post("/internal/projections/Counts", json={"action": "verify"})
    async with asyncio.timeout(30):
        while not (state := (await client.get("/internal/projections/Counts")).json())["ended_at"]:
            await asyncio.sleep(0.05)
    assert state["outcome"]["outcome"] == "equal", state


async def test_a_restore_undoes_no_discard_and_a_second_redrive_is_on_record(
    running: Run, settings: Settings
) -> None:
    """Of what was parked at that moment, and of what is read once more since."""
    before, since = str(uuid4()), str(uuid4())
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, before, "stat", "routine")
        await run.settle()
    keep(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, since, "stat", "routine")
        await run.settle()
        for found in await listed(run):
            await discard(run, found["id"])
        for found in await listed(run):
            assert (await redrive(run, found["id"]))["applied"] == 1
        await run.settle()  # what was not sent yet goes with the store
    set_back(settings, "scheduling")
    Faults.on = False
    async with running(INTAKE, SCHEDULING) as run:
        await run.settle()
        [found] = await listed(run)
        assert (found["key"], found["error"], found["attempts"]) == (before, "waits", 0)
        assert await received(run, since) == 1, "the discarded one is not applied, the one behind it is"
        assert (await redrive(run, found["id"]))["applied"] == 1
        assert await received(run, before) == 1
        assert [event.key for event, _ in await events(run, RecordDiscarded)] == [before, since]
        assert [event.key for event, _ in await events(run, RecordRedriven)] == [before, since, before]
        await assert_rebuilt_alike(run)


async def test_an_effect_that_was_discarded_is_not_done_after_a_restore(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "PAUSE_S", 0.01)
    letters, sick = Letters(), str(uuid4())
    async with running(letters.service) as run:
        await refer(run, sick, "stat")
        async with asyncio.timeout(30):
            while not (found := await listed(run, "intake")):
                await asyncio.sleep(0.05)
    keep(settings, "intake")
    async with running(letters.service) as run:
        await discard(run, found[0]["id"], "intake")
        await run.settle()
    set_back(settings, "intake")
    letters.broken = None
    async with running(letters.service) as run:
        assert await listed(run, "intake") == []
        await refer(run, sick, "routine")
        await run.settle()
        assert letters.sent == [sick]


async def test_pauses_are_after_a_restore_as_they_were_told_last(running: Run, settings: Settings) -> None:
    topic = topic_of("intake", settings.topic_prefix)
    async with running(INTAKE, SCHEDULING) as run:
        await tell(run, "pause", topic="intake", partitions=[3], reason="a look at it")
        await noticed(run, f"{topic}[3]")
        await run.settle()
    keep(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        await tell(run, "resume", topic="intake", partitions=[3])
        await tell(run, "pause", topic="intake", partitions=[4, 5], reason="a look at them")
        await tell(run, "resume", topic="intake", partitions=[5])
        await run.settle()
    set_back(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        rows = [row for row in (await run.get("scheduling", "/internal/consumers")).json() if row["paused"]]
        [(part, paused)] = [(row["partition"], row["paused"]) for row in rows]
        assert (part, paused["by"], paused["role"]) == (4, "staff-1", "coordinator")
        assert paused["reason"].keys() == {"kid", "nonce", "ct"}
        assert paused["since"]
