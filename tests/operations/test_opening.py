"""An epoch opens behind all that the store holds: who reads the topic gets it, also what was never sent."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from caretrail_contracts.cloudevents import Record, to_headers

from chassis.config import Settings
from chassis.database import query
from chassis.kafka import producer
from chassis.runtime import Role
from deploy.topics import make_topics
from operations import holding, restoring, walking
from operations.opening import opening
from operations.restoring import recover
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_restoring import EARLIER, admin, keep, process, restores, set_back
from tests.operations.test_topics import (
    assert_applied_once,
    assert_topic_is_store,
    delete,
    refer,
    republish,
    state,
)
from tests.running import Running, running_alone

pytestmark = pytest.mark.servers

LOCK_LOST = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'intake:restore'"


def promoted(settings: Settings) -> None:
    """The service's database is a standby's that took over."""
    admin(settings, EARLIER, database=f"{settings.database_prefix}_intake")


async def assert_all_have_all(run: Running, referrals: int) -> None:
    await run.settle()
    await assert_topic_is_store(run, "intake")
    await assert_applied_once(run, referrals)
    assert (await state(run))["state"] == "whole"


async def test_what_was_committed_and_never_sent_is_sent_before(running: Run, settings: Settings) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await run.settle()
    async with running_alone(INTAKE, settings, Role.API) as run:
        await refer(run, 10)
    promoted(settings)
    async with running_alone(INTAKE, settings, Role.API) as run:
        ground = run.runtime("intake").ground
        [log] = await ground.database.rows(query("backlog", "operations"), ground.topic)
        assert log["head"] - log["mark"] == 1, "all was sent but what tells of the restore"
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await assert_all_have_all(run, 20)
        [told] = await restores(run, "intake")
        assert (told.imported, told.epoch) == (0, 2)


@pytest.mark.parametrize("made", [True, False])
async def test_a_topic_that_was_lost_too_is_sent_again_before(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    """A reader that was behind gets what it lacks; where there is no topic yet, once there is one."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
        monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", run.runtime("intake").ground.database.url)
    keep(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30)
        await run.settle()
        topic = run.runtime("intake").ground.topic
    set_back(settings, "scheduling")
    promoted(settings)
    async with running(SCHEDULING) as run:
        await asyncio.to_thread(delete, run, topic)
        if made:
            await asyncio.to_thread(
                make_topics, run.settings.kafka_bootstrap, ["intake"], settings.topic_prefix
            )
        async with process(run, lambda: None):
            if not made:
                await republish(run)
            await refer(run, 5)
            await assert_all_have_all(run, 55)


async def test_who_is_overtaken_opens_another_epoch(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two promoted databases, or one that was frozen and thaws, may open one at the same moment."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await run.settle()
    promoted(settings)
    send, theirs = restoring.send, list[Record]()

    async def overtaken(bootstrap: str, topic: str, pages: Any) -> None:
        if not theirs:
            theirs.extend(opening("intake", settings, epoch=2, head=40))
            sender = await producer(bootstrap)
            for record in theirs:
                about, headers = record.envelope, to_headers(record.envelope, record.prev)
                await sender.send_and_wait(
                    topic, record.body, about.key.encode(), about.partition, headers=headers
                )
            await sender.stop()
        await send(bootstrap, topic, pages)

    monkeypatch.setattr(restoring, "send", overtaken)
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await assert_all_have_all(run, 10)
        [told] = await restores(run, "intake")
        assert told.epoch == 3


async def test_who_loses_the_lock_stops_looking(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL takes it from one that is frozen, so that another start goes on."""
    async with running(INTAKE) as run:
        await refer(run, 1)
        await run.settle()
    promoted(settings)
    hangs = asyncio.Event()

    async def walk(*_: Any, **__: Any) -> None:
        hangs.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(walking, "walk", walk)
        patch.setattr(holding, "ASK_S", 0.1)
        first = asyncio.create_task(recover(INTAKE, settings))
        async with asyncio.timeout(20):
            await hangs.wait()
        admin(settings, LOCK_LOST)
        async with asyncio.timeout(20):
            with pytest.raises(psycopg.OperationalError):
                await first
    async with running(INTAKE) as run:
        await refer(run, 1)
        assert len(await restores(run, "intake")) == 1
