"""An epoch opens behind all that the store holds: who reads the topic gets it, also what was never sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest
from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.envelope import topic_of
from structlog.testing import capture_logs

from chassis.config import Settings
from chassis.database import query
from chassis.kafka import producer
from chassis.runtime import Role
from deploy.topics import make_topics
from operations import holding, opening, restoring, walking
from operations.restoring import Behind, recover
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_restoring import EARLIER, admin, keep, log_of, plain, process, restores, set_back
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

LOCK_LOST = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'intake:restore' and datname = current_database()
"""


def promoted(settings: Settings) -> None:
    """The service's database is a standby's that took over."""
    admin(settings, EARLIER, database=f"{settings.database_prefix}_intake")


async def assert_all_have_all(run: Running, referrals: int) -> None:
    await run.settle()
    await assert_topic_is_store(run, "intake")
    await assert_applied_once(run, referrals)
    assert (await state(run))["state"] == "whole"


async def sent(settings: Settings, records: Iterable[Record]) -> None:
    """Records as a relay of intake sends them."""
    topic, sender = topic_of("intake", settings.topic_prefix), await producer(settings.kafka_bootstrap)
    for record in records:
        about, headers = record.envelope, to_headers(record.envelope, record.prev)
        await sender.send_and_wait(topic, record.body, about.key.encode(), about.partition, headers=headers)
    await sender.stop()


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


async def test_a_store_brought_back_beside_a_topic_that_lost_records_sends_them_before(
    running: Run, settings: Settings
) -> None:
    """The live database cannot be read, so that a restored one begins an epoch, and its relay opens it."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
    keep(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30)
        await run.settle()
        ground = run.runtime("intake").ground
    keep(settings, "intake")
    name = f"{settings.database_prefix}_intake"
    admin(settings, "update place set server = '', database = 0, timeline = 0", database=f"{name}_kept")
    admin(settings, f'grant connect on database "{name}_kept" to "{name}"')
    await asyncio.to_thread(delete, run, ground.topic)
    await asyncio.to_thread(make_topics, settings.kafka_bootstrap, ["intake"], settings.topic_prefix)
    set_back(settings, "scheduling")
    await recover(
        INTAKE, settings, psycopg.conninfo.make_conninfo(ground.database.url, dbname=f"{name}_kept")
    )
    set_back(settings, "intake")
    async with running(INTAKE, SCHEDULING) as run:
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
    send, theirs = opening.send, list[Record]()

    async def overtaken(bootstrap: str, topic: str, pages: Any) -> None:
        if not theirs:
            theirs.extend(opening.opening("intake", settings, epoch=2, head=40))
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


async def test_what_came_behind_a_gap_is_not_taken_in_as_no_reader_takes_it(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka took not a batch of the old relay's, and then a later one, after the last look."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
    async with running_alone(INTAKE, settings, Role.API) as run:
        await refer(run, 5)
    keep(settings, "intake")
    async with running_alone(INTAKE, settings, Role.API) as run:
        await refer(run, 30)
        log = await log_of(run, "intake")
    set_back(settings, "intake")
    promoted(settings)
    send = opening.send

    async def overtaken(bootstrap: str, topic: str, pages: Any) -> None:
        await sent(settings, log[25:])
        await send(bootstrap, topic, pages)

    monkeypatch.setattr(restoring, "send", overtaken)
    begun = {record.envelope.partition for record in log[20:25]}
    behind = [record for record in log[25:] if record.envelope.partition in begun]
    assert 0 < len(behind) < 30, "some follow what is on the topic"
    with capture_logs() as told:
        async with running(INTAKE, SCHEDULING) as run:
            await refer(run, 1)
            await assert_all_have_all(run, 56 - len(behind))
            assert [one for one in plain(await log_of(run, "intake")) if one in behind] == []
    [line] = [line for line in told if line["event"] == "records_behind_a_gap"]
    assert line["records"] == len(behind)


async def test_what_an_old_relay_repeats_behind_an_opening_is_not_what_the_topic_lacks(
    running: Run, settings: Settings
) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 40)
        await run.settle()
        log = await log_of(run, "intake")
    promoted(settings)
    async with running(INTAKE, SCHEDULING) as run:
        await run.settle()
        await sent(settings, log[-12:])
        assert (await state(run))["state"] == "whole"
        assert (await republish(run))["events"] == 0
        await assert_all_have_all(run, 40)


async def test_a_gap_is_closed_by_the_relay_of_the_old_database(running: Run, settings: Settings) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 40)
        await run.settle()
    keep(settings, "intake")
    async with running_alone(INTAKE, settings, Role.API) as run:
        await refer(run, 80)
        log = await log_of(run, "intake")
    firsts = {record.envelope.partition: record for record in reversed(log[40:])}
    await sent(settings, [record for record in log[40:] if record not in firsts.values()])
    name = f"{settings.database_prefix}_intake"
    admin(
        settings,
        f"alter database {name} rename to {name}_old",
        f"alter database {name}_kept rename to {name}",
    )
    with pytest.raises(Behind, match="lacks records that the store needs"):
        await recover(INTAKE, settings)
    admin(
        settings,
        f"alter database {name} rename to {name}_kept",
        f"alter database {name}_old rename to {name}",
    )
    async with running_alone(INTAKE, settings, Role.RELAY) as run, asyncio.timeout(20):
        while (at := (await run.get("intake", "/internal/progress")).json())["relayed"] < at["head"]:
            await asyncio.sleep(0.05)
    set_back(settings, "intake")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await assert_all_have_all(run, 125)


async def test_a_disk_that_was_set_back_is_told_of_as_restored(running: Run, settings: Settings) -> None:
    """As the page on backups says, once a person knows that nobody else wrote to the topic."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
    keep(settings, "intake")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30)
        await run.settle()
    set_back(settings, "intake")
    name = f"{settings.database_prefix}_intake"
    stands = "update place set database = (select oid from pg_database where datname = current_database())"
    admin(settings, stands, database=name)
    with pytest.raises(Behind, match="nobody restored it"):
        await recover(INTAKE, settings)
    admin(settings, "update place set server = ''", database=name)
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await assert_all_have_all(run, 55)


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
        admin(settings, LOCK_LOST, database=f"{settings.database_prefix}_intake")
        async with asyncio.timeout(20):
            with pytest.raises(psycopg.OperationalError):
                await first
    async with running(INTAKE) as run:
        await refer(run, 1)
        assert len(await restores(run, "intake")) == 1
