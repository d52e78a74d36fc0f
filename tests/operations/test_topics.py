"""A topic that was lost is published again from its store, under readers that go on without a restart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.intake import ReferralReceived
from confluent_kafka.admin import AdminClient

from chassis.feeds import TopicFeed
from chassis.office import AdapterOffice
from chassis.service import Effect
from deploy.topics import make_topics
from operations import walking
from tests.chassis.forging import body, forger, headers, patient_of
from tests.chassis.test_feed import applied, has
from tests.chassis.test_feed import refer as refer_one
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_rebuilding import outcome
from tests.running import ROOT, Running

pytestmark = pytest.mark.servers

LOST_S = 3.0
"""How long a topic is gone: long enough for clients to see it."""


async def refer(run: Running, count: int) -> None:
    """Receive referrals of forty patients."""

    async def one(number: int) -> None:
        answer = await run.post("intake", "/referrals", {"patient": str(UUID(int=number % 40 + 1))})
        assert answer.status_code == 201, answer.text

    for start in range(0, count, 50):
        await asyncio.gather(*map(one, range(start, min(count, start + 50))))


def delete(run: Running, *topics: str) -> None:
    """Delete topics, and wait until they are gone."""
    admin = AdminClient({"bootstrap.servers": run.settings.kafka_bootstrap})
    for gone in admin.delete_topics(list(topics)).values():
        gone.result(30)
    until = time.monotonic() + 30
    while set(topics) & set(admin.list_topics(timeout=10).topics):
        assert time.monotonic() < until
        time.sleep(0.05)


async def republish(run: Running, service: str = "intake") -> Any:
    """What the command does: the service is asked, and the topic made where it is missing."""
    answer = await run.post(service, "/internal/topic/republish")
    assert answer.status_code == 200, answer.text
    await asyncio.to_thread(make_topics, run.settings.kafka_bootstrap, [service], run.settings.topic_prefix)
    return answer.json()


async def state(run: Running, service: str = "intake") -> Any:
    return (await run.get(service, "/internal/topic")).json()


async def taken(run: Running, service: str) -> list[Record]:
    """What a reader makes of a topic from its beginning."""
    runtime = run.runtime(service)
    found = await walking.walk(
        run.settings.kafka_bootstrap, runtime.ground.topic, runtime.origin.source, {}, keep=True
    )
    assert found.gaps == {}
    return found.records


async def assert_topic_is_store(run: Running, service: str) -> None:
    """A reader gets each event of the store once, in the order of its key, with its bytes and ``prev``."""
    stored = await run.runtime(service).ground.store.read(0, 100_000)
    read = await taken(run, service)
    assert len(read) == len(stored)
    assert sorted(read, key=lambda record: record.envelope.position) == stored


async def assert_applied_once(run: Running, referrals: int) -> None:
    database = run.runtime("scheduling").ground.database
    (row,) = await database.rows("select coalesce(sum(received), 0)::int as received from counts")
    assert row["received"] == referrals
    (row,) = await database.rows(
        "select count(*)::int as rejected from events where type = 'caretrail.scheduling.EnrollmentRejected'"
    )
    assert row["rejected"] == referrals
    assert not await database.rows("select * from parked")


async def assert_nothing_behind(run: Running) -> None:
    """The list of readers and the metric tell the same: none."""
    listed = (await run.get("scheduling", "/internal/consumers")).json()
    assert [each for each in listed if each["lag"] or each["lag_s"]] == []
    [feed] = [feed for feed in run.runtime("scheduling").feeds if isinstance(feed, TopicFeed)]
    async with asyncio.timeout(10):
        while any(behind for behind, _ in feed.behind().values()):
            await asyncio.sleep(0.02)


async def test_a_whole_topic_lacks_nothing_and_nothing_is_sent_again(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30)
        await run.settle()
        found = await state(run)
        assert (found["state"], found["records"], found["events"]) == ("whole", 30, 30)
        assert await republish(run) == {
            "topic": run.runtime("intake").ground.topic,
            "after": None,
            "events": 0,
        }


@pytest.mark.parametrize("more", [0, 3, 200])
async def test_a_topic_deleted_under_running_readers_is_sent_again_and_read_on(
    running: Run, more: int
) -> None:
    """With few and many events after the loss: the topic may end below and above the readers' offsets."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 120)
        await run.settle()
        topic = run.runtime("intake").ground.topic
        await asyncio.to_thread(delete, run, topic)
        assert (await state(run))["state"] == "missing"
        await refer(run, more)
        found = await republish(run)
        assert (found["after"], found["events"]) == (0, 120)
        await refer(run, 5)
        await run.settle()
        await assert_topic_is_store(run, "intake")
        await assert_applied_once(run, 125 + more)
        await assert_nothing_behind(run)
        assert (await state(run))["state"] == "whole"
        events = [record.decode() for record in await run.runtime("intake").ground.store.read(0, 10_000)]
        assert Counter(type(event).__name__ for event in events)["TopicRepublished"] == 1


async def test_a_missing_topic_is_a_fault_that_keeps_its_readers_from_nothing_else(running: Run) -> None:
    """While it was assigned, its reader asked Kafka for it without a pause; one that began anew hung."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
        topic, [_, feed] = run.runtime("intake").ground.topic, run.runtime("scheduling").feeds
        assert isinstance(feed, TopicFeed)
        await asyncio.to_thread(delete, run, topic)
        for begins_anew in (False, True):
            if begins_anew:
                await feed.close()
                feed.fault = None
            async with asyncio.timeout(20):
                while not (feed.fault or "").startswith(topic):
                    await asyncio.sleep(0.02)
            assert not feed._consumer or feed._consumer.assignment() == set()
            ready = (await run.get("scheduling", "/health/ready")).json()
            assert ready["faults"] == [f"topic-feed: {topic} is missing: `caretrail topics restore` makes it"]
        await republish(run)
        await refer(run, 5)
        await run.settle()
        await assert_applied_once(run, 25)
        assert (await run.get("scheduling", "/health/ready")).json()["faults"] == []


async def test_of_a_missing_topic_readers_are_listed_without_its_end(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 3)
        await run.settle()
        delete(run, run.runtime("intake").ground.topic)
        answer = await run.get("scheduling", "/internal/consumers")
        assert answer.status_code == 200, answer.text
        own, *others = answer.json()
        assert (own["topic"], own["lag"]) == ("store", 0)
        assert {(each["head"], each["lag"], each["lag_s"]) for each in others} == {(None, None, None)}
        assert max(each["position"] for each in others) == 3


async def test_a_topic_made_anew_that_was_written_to_before_anybody_noticed(running: Run) -> None:
    """New events came first: readers stop at the gap, and go on once what is before it comes behind it."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 60)
        await run.settle()
        await asyncio.to_thread(delete, run, run.runtime("intake").ground.topic)
        make_topics(run.settings.kafka_bootstrap, ["intake"], run.settings.topic_prefix)
        await refer(run, 60)
        async with asyncio.timeout(20):
            while (await state(run))["records"] < 60:
                await asyncio.sleep(0.1)
        assert (await state(run))["state"] == "lacks"
        assert await republish(run) == {
            "topic": run.runtime("intake").ground.topic,
            "after": 0,
            "events": 120,
        }
        await run.settle()
        await assert_topic_is_store(run, "intake")
        await assert_applied_once(run, 120)
        asked = {"action": "verify"}
        found = await run.clients["scheduling"].post("/internal/projections/Counts", json=asked)
        assert (await outcome(run))["outcome"] == "equal", found.text


async def test_a_topic_that_lost_its_end_is_sent_again_from_there(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 80)
        await run.settle()
        runtime = run.runtime("intake")
        kept = (await runtime.ground.store.read(0, 100))[:50]
        await asyncio.to_thread(delete, run, runtime.ground.topic)
        make_topics(run.settings.kafka_bootstrap, ["intake"], run.settings.topic_prefix)
        async with forger(run) as send:
            for record in kept:
                about = record.envelope
                await send(about.partition, about.key, to_headers(about, record.prev), record.body)
        found = await state(run)
        assert (found["state"], found["records"]) == ("lacks", 50)
        assert (await republish(run))["after"] < 50
        await refer(run, 40)
        await run.settle()
        await assert_topic_is_store(run, "intake")
        await assert_applied_once(run, 120)


async def test_a_store_behind_its_topic_is_not_sent_again(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        await refer(run, 10)
        await run.settle()
        forged = patient_of(3)
        rows = await run.runtime("intake").ground.database.rows(
            "select max(position) as head from events where partition = 3"
        )
        head = rows[0]["head"]
        claims: dict[str, bytes | None] = {
            "source": run.runtime("intake").origin.source.encode(),
            "prev": str(head).encode() if head else None,
        }
        await send(3, str(forged), headers(forged, 900, **claims), body(forged))
        assert (await state(run))["state"] == "exceeds"
        answer = await run.post("intake", "/internal/topic/republish")
        assert (answer.status_code, answer.json()["type"][-11:]) == (409, "StoreBehind")


async def test_readers_that_took_a_forged_record_are_set_back_as_the_page_says(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        intake, database = run.runtime("intake"), run.runtime("scheduling").ground.database
        topic, source = intake.ground.topic, intake.origin.source
        heads = []
        for partition in (3, 4):  # the second position is not used in the first one's partition
            await refer_one(run, patient_of(partition))
            await run.settle()
            heads.append(await intake.ground.store.head())
        head, last = heads
        forged, real, next = patient_of(3), patient_of(3), patient_of(3)
        about = {"source": source.encode(), "prev": b"%d" % head}
        await send(3, str(forged), headers(forged, last, **about), b"no JSON")
        async with asyncio.timeout(15):
            while not await database.rows("select * from parked"):
                await asyncio.sleep(0.02)
        await refer_one(run, real)
        await refer_one(run, next)
        async with asyncio.timeout(15):
            while (await run.get("scheduling", "/health/ready")).json()["status"] == "ready":
                await asyncio.sleep(0.02)
        assert not await has(run, real)
        assert not await has(run, next)
        text = (ROOT / "docs/operations/topics.md").read_text()
        statement = " ".join(text.split("```sql")[1].split("```")[0].split()).rstrip(";")
        for said, here in (
            ("= 244", f"= {head}"),
            ("= 245", f"= {last}"),
            ("= 9", "= 3"),
            ("caretrail.scheduling.events", topic),
            ("urn:caretrail:scheduling:main", source),
        ):
            assert said in statement
            statement = statement.replace(said, here)
        which = {"topic": "intake", "partitions": [3]}
        await run.post("scheduling", "/internal/consumers/pause", {**which, "reason": "forged"})
        async with asyncio.timeout(15):
            while not (await run.get("scheduling", "/health/ready")).json().get("paused"):
                await asyncio.sleep(0.02)
        await database.rows(f"{statement} returning position")
        await asyncio.to_thread(delete, run, topic)
        await republish(run)
        await run.post("scheduling", "/internal/consumers/resume", which)
        await applied(run, real)
        await applied(run, next)
        assert (await run.get("scheduling", "/health/ready")).json()["faults"] == []
        assert not await has(run, forged)


async def test_effects_go_on_once_their_topic_is_there_again(running: Run) -> None:
    """The process lives through the loss: each is done, none twice."""
    done = Counter[UUID]()

    async def act(event: Event, about: Envelope, office: AdapterOffice) -> None:
        done[about.id] += 1

    service = replace(INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(service) as run:
        await refer(run, 40)
        await run.settle()
        await asyncio.to_thread(delete, run, run.runtime("intake").ground.topic)
        await refer(run, 10)
        await asyncio.sleep(LOST_S)
        await republish(run)
        await refer(run, 20)
        await run.settle()
    assert len(done) == 70
    assert set(done.values()) == {1}
