"""Effects go on where the service's own marks are: neither Kafka's offsets nor another topic skip any."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import PARTITIONS, Envelope, topic_of
from caretrail_contracts.intake import ReferralAccepted, ReferralReceived

from chassis import effects
from chassis.command import Command
from chassis.config import Settings
from chassis.database import Database, Row, arrays
from chassis.effects import MOVE, Effects
from chassis.office import AdapterOffice
from chassis.runtime import Role, Runtime
from chassis.service import Effect, Service
from chassis.telemetry import EFFECTS_FAILED
from deploy.local.programs import migrations
from deploy.migration import migrate
from services.billing.app import service as billing
from services.notifications.app import service as notifications
from tests.chassis.toy import INTAKE, Accept
from tests.conftest import Run
from tests.operations.test_restoring import EARLIER, admin, keep, set_back
from tests.operations.test_topics import delete, refer, republish
from tests.running import Running

pytestmark = pytest.mark.servers


class Letters:
    """An effect that counts what it did."""

    def __init__(self) -> None:
        self.done = Counter[UUID]()

    async def act(self, event: ReferralReceived, about: Envelope, office: AdapterOffice) -> Command | None:
        self.done[about.id] += 1
        return None

    @property
    def service(self) -> Service:
        return replace(INTAKE, effects=(Effect("letter", ReferralReceived, self.act),))

    def are_once(self, count: int) -> bool:
        """Whether there are so many, each done once."""
        return len(self.done) == count and set(self.done.values()) == {1}


@pytest.fixture
def letters() -> Letters:
    return Letters()


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions of the events that were looked at, whether or not there was something to do."""
    found: list[int] = []
    inner = Effects.stands

    async def outer(self: Effects, effect: Effect, record: Record) -> Row:
        found.append(record.envelope.position)
        return await inner(self, effect, record)

    monkeypatch.setattr(Effects, "stands", outer)
    return found


async def tell_group(settings: Settings, offsets: dict[TopicPartition, int] | None) -> None:
    """Give the group of effects, of which nobody is there, these offsets; without them, the ends."""
    topic = topic_of("intake", settings.topic_prefix)
    group: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap, "group_id": f"{topic}.effects"}
    async with AIOKafkaConsumer(enable_auto_commit=False, **group) as outside:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        outside.assign(partitions)
        await outside.commit(offsets or await outside.end_offsets(partitions))


async def test_offsets_of_the_group_neither_skip_nor_repeat_effects(
    running: Run, letters: Letters, looked: list[int], settings: Settings
) -> None:
    async with running(letters.service) as run:
        await refer(run, 30)
        await run.settle()
    async with running(INTAKE) as run:
        await refer(run, 20)
        await run.settle()
    await tell_group(settings, None)
    async with running(letters.service) as run:
        await run.settle()
        assert letters.are_once(50)
        topic, head = run.runtime("intake").ground.topic, await run.runtime("intake").ground.store.head()
        async with asyncio.timeout(10):  # marks move after what they stand for
            while max((await marks(run))[0].values()) < head or (await marks(run))[1] < head:
                await asyncio.sleep(0.02)
    await tell_group(settings, {TopicPartition(topic, number): 0 for number in range(PARTITIONS)})
    looked.clear()
    async with running(letters.service) as run:
        await refer(run, 5)
        await run.settle()
    assert letters.are_once(55)
    assert set(looked) == set(range(51, 56)), "what is below the marks is not looked at again"
    looked.clear()
    admin(settings, EARLIER, database=f"{settings.database_prefix}_intake")
    async with running(letters.service) as run:
        await refer(run, 5)
        await run.settle()
    assert letters.are_once(60)
    assert min(looked) > 55, "nor does an epoch that begins make it so"


@pytest.mark.parametrize("epoch", ["the same", "another"])
async def test_a_topic_made_anew_is_looked_through_from_its_beginning(
    running: Run, settings: Settings, letters: Letters, epoch: str
) -> None:
    """In the topic that was each record came twice: what is at its marks in the new one was never done."""
    async with running(letters.service) as run:
        await refer(run, 40)
        await run.settle()
        await run.runtime("intake").ground.database.rows("update relay_mark set position = 0 returning 1")
        await run.settle()
        async with asyncio.timeout(10):
            while (await marks(run))[1] < 80 - PARTITIONS:
                await asyncio.sleep(0.02)
    if epoch == "another":
        admin(settings, EARLIER, database=f"{settings.database_prefix}_intake")
    async with running(INTAKE) as run:
        await asyncio.to_thread(delete, run, run.runtime("intake").ground.topic)
        await refer(run, 200)
        await republish(run)
        await run.settle()
    async with running(letters.service) as run:
        await refer(run, 40)
        await run.settle()
        assert letters.are_once(280)


async def test_a_new_effect_begins_with_what_is_recorded_once_it_is_there(
    running: Run, letters: Letters
) -> None:
    """Neither the marks of other effects nor their lack makes it act on the past."""
    async with running(INTAKE) as run:
        await refer(run, 10)
        await run.settle()
        async with Runtime(letters.service, run.settings, Role.API):
            pass
        await refer(run, 3)
        await run.settle()
    async with running(letters.service) as run:
        await run.settle()
        assert letters.are_once(3)
    more = Letters()
    both = (*letters.service.effects, Effect("note", ReferralReceived, more.act))
    service = replace(letters.service, effects=both)
    async with running(service) as run:
        await refer(run, 2)
        await run.settle()
        assert letters.are_once(5)
        assert more.are_once(2)


async def marks(run: Running) -> tuple[dict[int, int], int]:
    """The position of each partition's mark, and how many records of the topic are up to all of them."""
    rows = await run.runtime("intake").ground.database.rows("select * from effect_marks where position > 0")
    return {row["partition"]: row["position"] for row in rows}, sum(row["kafka_offset"] + 1 for row in rows)


async def test_two_processes_share_the_effects_and_what_one_leaves_the_other_does(
    running: Run, letters: Letters
) -> None:
    async with running(letters.service) as run:
        async with Runtime(letters.service, run.settings, Role.CONSUMERS):
            await refer(run, 60)
        await refer(run, 60)
        await run.settle()
        assert set(letters.done) == {record.envelope.id for record in await log(run)}
        found, _ = await marks(run)
        heads = await run.runtime("intake").ground.database.rows(
            "select partition, max(position) as head from events group by 1"
        )
        assert found == {row["partition"]: row["head"] for row in heads}


async def test_marks_that_could_not_be_looked_at_while_one_was_in_hand_keep_none_back(
    running: Run, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """What was in hand is begun again, by a consumer that is alone in its group as the one before was."""
    letters, is_begun, fails = Letters(), asyncio.Event(), list[psycopg.Error]()
    rows = Database.rows

    async def act(event: ReferralReceived, about: Envelope, office: AdapterOffice) -> Command | None:
        if not is_begun.is_set():
            is_begun.set()
            await asyncio.Event().wait()
        return await letters.act(event, about, office)

    async def fail_once(self: Database, query: Any, *parameters: Any) -> list[Row]:
        if query == effects.MARKS and fails:
            raise fails.pop()
        return await rows(self, query, *parameters)

    monkeypatch.setattr(Database, "rows", fail_once)
    service = replace(INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(service) as run, asyncio.timeout(60):
        await refer(run, 20)
        await is_begun.wait()
        group = f"{topic_of('intake', settings.topic_prefix)}.effects"
        fails.append(psycopg.OperationalError())
        await divide_anew(settings, group)
        while fails:
            await asyncio.sleep(0.02)
        while len(letters.done) < 20:
            await asyncio.sleep(0.02)
        assert letters.are_once(20)
        assert await members(settings, group) == 1


async def divide_anew(settings: Settings, group: str) -> None:
    """Join a group of effects and leave it."""
    outside = AIOKafkaConsumer(
        group.removesuffix(".effects"),
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=group,
        enable_auto_commit=False,
    )
    await outside.start()
    await outside.stop()


async def members(settings: Settings, group: str) -> int:
    """How many consumers a group has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([group])
        return next(len(part) for part in answer.groups[0] if isinstance(part, list))
    finally:
        await admin.close()


async def log(run: Running) -> list[Record]:
    return await run.runtime("intake").ground.store.read(0, 10_000)


async def test_a_mark_moves_forward_only_and_to_what_the_store_holds(running: Run) -> None:
    async with running(INTAKE) as run:
        patient = str(uuid4())
        for _ in range(3):
            await run.post("intake", "/referrals", {"patient": patient})
        database, records = run.runtime("intake").ground.database, await log(run)
        [part] = {record.envelope.partition for record in records}
        first, second, third = (record.envelope for record in records)
        for about, number, offset, expected in (
            (second, part, 1, [(2, 1)]),
            (first, part, 0, [(2, 1)]),
            (first, part, 7, [(2, 1)]),
            (second, part, 7, [(2, 7)]),
            (first._replace(id=uuid4()), part, 9, [(2, 7)]),
            (first._replace(stream=f"referral-{uuid4()}"), part, 9, [(2, 7)]),
            (third, (part + 1) % PARTITIONS, 9, [(2, 7)]),
            (third, part, 2, [(3, 2)]),
        ):
            reached = number, about.id, about.stream, about.stream_version, offset
            await database.rows(MOVE, *arrays([reached]), 1)
            rows = await database.rows("select * from effect_marks where position > 0")
            assert [(row["position"], row["kafka_offset"]) for row in rows] == expected


def is_received(record: Record) -> bool:
    return isinstance(record.decode(), ReferralReceived)


async def test_effects_of_a_service_set_back_are_done_once(running: Run, settings: Settings) -> None:
    """Its marks went back with it: what was done since is known by its commands, what was not is done.

    What an effect records names the event that it acted on.
    """
    letters = Letters()

    async def act(event: ReferralReceived, about: Envelope, office: AdapterOffice) -> Command:
        await letters.act(event, about, office)
        return Accept(referral=event.referral)

    service = replace(INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(service) as run:
        await refer(run, 20)
        await run.settle()
    keep(settings, "intake")
    async with running(service) as run:
        await refer(run, 20)
        await run.settle()
    async with running(INTAKE) as run:
        await refer(run, 10)
        await run.settle()
    set_back(settings, "intake")
    async with running(service) as run:
        await run.settle()
        assert letters.are_once(50)
        received = {each.envelope.id: each.envelope for each in await log(run) if is_received(each)}
        accepted = [each.envelope for each in await log(run) if isinstance(each.decode(), ReferralAccepted)]
        assert len(accepted) == 50
        for about in accepted:
            assert about.causation_id in received
            assert about.correlation_id == received[about.causation_id].correlation_id


def test_effects_that_are_older_than_their_starts_begin_with_the_first_event(settings: Settings) -> None:
    """A store with a history comes to this by its migrations: nothing that it had to do yet is left out."""
    older = {"authorization-requests", "claim-files", "appeals"}, {"mailer", "notifier"}
    services = billing, notifications
    addresses = migrate(settings, {service.name: migrations()[service.name] for service in services})
    for service, names in zip(services, older, strict=True):
        assert names <= {effect.name for effect in service.effects}
        with psycopg.connect(addresses[service.name]) as connection:
            rows = connection.execute("select effect, position from effect_starts").fetchall()
        assert dict(rows) == dict.fromkeys(names, 0)


REFUSE = """
create function refuse() returns trigger language plpgsql
    as $$ begin raise exception using errcode = '{}'; end $$;
create trigger refuse before insert or update on {} for each row execute function refuse()
"""
"""Lets a table take no writes, with the code of why not."""


async def test_an_effect_is_not_begun_where_nothing_is_written_and_done_once_whatever_keeps_its_record(
    running: Run, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is read-only; a disk that is full. Neither parks it."""
    monkeypatch.setattr(effects, "PAUSE_S", 0.01)
    monkeypatch.setattr(effects, "PAUSE_MAX_S", 0.02)
    async with running(letters.service) as run:
        for code, table, done in (("25006", "effect_starts", 0), ("53100", "effects_done", 1)):
            admin_of(run, REFUSE.format(code, table))
            if not done:
                await refer(run, 1)
            failed = failures()
            async with asyncio.timeout(20):
                while failures() < failed + effects.ATTEMPTS_MAX + 1:
                    await asyncio.sleep(0.02)
            assert letters.done.total() == done
            admin_of(run, "drop function refuse cascade")
        await run.settle()
        assert letters.are_once(1)
        assert await run.runtime("intake").ground.database.rows("select * from parked") == []


def failures() -> float:
    return float(EFFECTS_FAILED.labels("letter")._value.get())


def admin_of(run: Running, statement: str) -> None:
    assert run.settings.postgres_url
    address = run.settings.postgres_url.get_secret_value()
    database = f"{run.settings.database_prefix}_intake"
    with psycopg.connect(address, dbname=database, autocommit=True) as connection:
        connection.execute(statement.encode())
