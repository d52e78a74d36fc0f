"""Readers are paused, resumed and told from where to read, and apply nothing twice: on real servers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import TopicPartition
from caretrail_contracts.cloudevents import to_headers
from caretrail_contracts.envelope import PARTITIONS, partition_of, topic_of
from caretrail_contracts.system import ReadingPaused, ReadingReset, ReadingResumed

from chassis.clock import SharedClock
from chassis.feeds import TopicFeed
from chassis.kafka import producer
from deploy.local.progress import lag_path
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_parked import events, received, refer
from tests.running import Running

pytestmark = pytest.mark.servers


async def tell(run: Running, action: str, service: str = "scheduling", **asked: Any) -> Any:
    answer = await run.post(service, f"/internal/consumers/{action}", asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def state(run: Running, topic: str, partition: int = 0, service: str = "scheduling") -> dict[str, Any]:
    answer = await run.get(service, "/internal/consumers")
    assert answer.status_code == 200, answer.text
    [found] = [
        each
        for each in answer.json()
        if topic in [*each["topic"].split("."), each["topic"]] and each["partition"] == partition
    ]
    return dict(found)


async def noticed(run: Running, where: str | None, service: str = "scheduling") -> None:
    """Wait until the reader noticed: within a second, and more where the machine is busy."""
    async with asyncio.timeout(10):
        while True:
            paused = (await run.get(service, "/health/ready")).json()["paused"]
            if (where in paused) if where else not paused:
                return
            await asyncio.sleep(0.02)


async def test_the_list_tells_position_head_lag_and_owner(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        patient = str(uuid4())
        await refer(run, patient, "routine", "routine")
        await run.settle()
        found = await state(run, "intake", partition_of(patient))
        assert (found["position"], found["head"], found["lag"], found["lag_s"]) == (2, 2, 0, 0.0)
        assert found["owner"].partition("@")[0].isdigit()
        assert found["paused"] is None
        own = await state(run, "store")
        assert (own["position"], own["head"], own["lag"]) == (2, 2, 0)
        assert own["owner"] == found["owner"]
        assert len((await run.get("scheduling", "/internal/consumers")).json()) == 1 + PARTITIONS


async def test_a_paused_partition_waits_through_a_restart_and_others_flow(running: Run) -> None:
    one, other = patients(2)
    async with running(INTAKE, SCHEDULING) as run:
        topic, number = topic_of("intake", run.settings.topic_prefix), partition_of(one)
        told = await tell(run, "pause", topic="intake", partitions=[number], reason="the topic is rebuilt")
        assert told == {"topic": topic, "partitions": [number]}
        before = (await state(run, "intake", number))["paused"]
        again = await tell(run, "pause", topic="intake", partitions=[number], reason="another one's")
        assert again == {"topic": topic, "partitions": []}
        assert (await state(run, "intake", number))["paused"] == before, "since when and why stay on record"
        await noticed(run, f"{topic}[{number}]")
        await refer(run, one, "routine")
        await refer(run, other, "routine")
        await until_received(run, other, 1)
        assert (await run.get("scheduling", "/health/ready")).status_code == 200, "to be paused is no fault"
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, one, "routine")
        await refer(run, other, "routine")
        await until_received(run, other, 2)
        await asyncio.sleep(1)
        assert await received(run, one) == 0
        found = await state(run, "intake", number)
        assert (found["lag"], found["paused"]["by"], found["paused"]["role"]) == (2, "staff-1", "coordinator")
        assert found["lag_s"] >= 1
        assert found["paused"]["reason"].keys() == {"kid", "nonce", "ct"}
        assert await not_applied(run) == 2, "positions lie farther apart"
        assert await tell(run, "resume", topic=topic) == told, "the one that was paused, of all"
        assert await tell(run, "resume", topic=topic) == {"topic": topic, "partitions": []}
        await noticed(run, None)
        await run.settle()
        assert await received(run, one) == 2
        [(paused, about)] = await events(run, ReadingPaused)
        assert (paused.topic, paused.partitions, about.actor.id) == (topic, (number,), "staff-1")
        assert "rebuilt" not in paused.to_bytes().decode()
        [(resumed, _)] = await events(run, ReadingResumed)
        assert resumed.partitions == (number,)


async def not_applied(run: Running) -> int:
    """What intake's store counts above the places that scheduling has come to."""
    own, other = [(await run.get(name, "/internal/progress")).json() for name in ("scheduling", "intake")]
    return int((await run.get("intake", lag_path(own, other))).json()["events"])


def patients(count: int) -> list[str]:
    """Patients whose events are in partitions of their own."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        number += 1
        found.setdefault(partition_of(str(UUID(int=number))), str(UUID(int=number)))
    return list(found.values())


async def until_received(run: Running, patient: str, count: int) -> None:
    async with asyncio.timeout(20):
        while await received(run, patient) < count:
            await asyncio.sleep(0.02)


async def test_the_own_store_is_paused_and_resumed_and_all_lags_are_by_the_services_clock(
    running: Run, tmp_path: Path
) -> None:
    begins = datetime(2026, 3, 2, 11, tzinfo=UTC)
    clock, patient = SharedClock(tmp_path / "clock", create=begins), str(uuid4())
    async with running(INTAKE, SCHEDULING, clock_file=tmp_path / "clock") as run:
        await tell(run, "pause", "intake", topic="store", reason="a projection is looked at")
        await noticed(run, "store[0]", "intake")
        await tell(run, "pause", topic="intake", reason="the same")
        await noticed(run, f"{topic_of('intake', run.settings.topic_prefix)}[{partition_of(patient)}]")
        await refer(run, patient, "routine")
        async with asyncio.timeout(10):
            while (await state(run, "intake", partition_of(patient)))["lag"] == 0:
                await asyncio.sleep(0.05)
        clock.move(begins + timedelta(seconds=90))
        own, other = (
            await state(run, "store", service="intake"),
            await state(run, "intake", partition_of(patient)),
        )
        assert own["lag"] >= 1
        assert (own["lag_s"], other["lag_s"]) == (90.0, 90.0)
        await tell(run, "resume", "intake", topic="store")
        await tell(run, "resume", topic="intake")
        await run.settle()
        assert (await state(run, "store", service="intake"))["lag"] == 0


@pytest.mark.parametrize(("to", "offset"), [("beginning", 0), (5, 5), ("1969-12-31T00:00:00Z", 0)])
async def test_a_partition_that_is_read_again_applies_nothing_twice(
    running: Run, to: Any, offset: int
) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        patient = str(uuid4())
        number, topic = partition_of(patient), topic_of("intake", run.settings.topic_prefix)
        await refer(run, patient, *["routine"] * 5)
        await run.settle()
        where = {"topic": "intake", "partitions": [number], "to": to, "reason": "read it again"}
        refused = await run.post("scheduling", "/internal/consumers/reset", where)
        assert (refused.status_code, refused.json()["title"]) == (409, "Not paused")
        await tell(run, "pause", topic="intake", reason="read it again")
        assert (await tell(run, "reset", **where))["reads_from"] == {str(number): offset}
        found = await state(run, "intake", number)
        assert (found["reads_from"], found["lag"], found["lag_s"]) == (offset, 0, 0.0), "all is applied"
        await tell(run, "resume", topic="intake")
        await noticed(run, None)
        [feed] = [feed for feed in run.runtime("scheduling").feeds if isinstance(feed, TopicFeed)]
        spot, last = TopicPartition(topic, number), 4 if offset == 0 else None
        async with asyncio.timeout(10):
            while await place(run, number) != last or feed.behind().get(spot, (1, 0))[0]:
                await asyncio.sleep(0.02)
        await refer(run, patient, "routine")
        await run.settle()
        assert await received(run, patient) == 6
        assert (await state(run, "intake", partition_of(patient)))["position"] == 6
        assert len(await events(run, ReadingReset)) == 1


async def place(run: Running, partition: int) -> int | None:
    """The offset that a partition's reader would be taken over at, as the database has it."""
    query = "select kafka_offset from positions where partition = %s and topic <> 'store'"
    [row] = await run.runtime("scheduling").ground.database.rows(query, partition)
    return None if row["kafka_offset"] is None else int(row["kafka_offset"])


async def test_what_is_passed_over_counts_for_nothing_and_what_is_not_counts_on(running: Run) -> None:
    """The relay repeated what was applied, and somebody sent what is no record: neither is behind."""
    async with running(INTAKE, SCHEDULING) as run:
        patient = str(uuid4())
        number, topic = partition_of(patient), topic_of("intake", run.settings.topic_prefix)
        await refer(run, patient, "routine", "routine")
        await run.settle()
        await tell(run, "pause", topic="intake", reason="to look")
        await noticed(run, f"{topic}[{number}]")
        sender = await producer(run.settings.kafka_bootstrap)
        for record in await run.runtime("intake").ground.store.read(0, 2):
            headers, key = to_headers(record.envelope, record.prev), record.envelope.key.encode()
            await sender.send_and_wait(topic, record.body, key=key, partition=number, headers=headers)
        await sender.send_and_wait(topic, b"not a record", partition=number)
        await sender.stop()
        found = await state(run, "intake", number)
        assert (found["head"], found["lag"], found["lag_s"]) == (5, 0, 0.0)
        await refer(run, patient, "routine")
        async with asyncio.timeout(10):
            while (found := await state(run, "intake", number))["head"] < 6:
                await asyncio.sleep(0.05)
        assert found["lag"] == 1
        asked: dict[str, Any] = {"topic": "intake", "partitions": [number, (number + 1) % 12], "reason": "x"}
        refused = await run.post("scheduling", "/internal/consumers/reset", {**asked, "to": 2})
        assert (refused.status_code, refused.json()["title"]) == (409, "Out of reach")
        assert refused.json()["detail"].startswith(f"Partition {(number + 1) % 12}: ")
        assert await place(run, number) == 1, "one that cannot be reset keeps all as they are"
        done = await tell(run, "reset", **asked, to="beginning")
        assert done["reads_from"] == {str(number): 0, str((number + 1) % 12): 0}
        assert len(await events(run, ReadingReset)) == 2
        await tell(run, "resume", topic="intake")
        await run.settle()
        assert await received(run, patient) == 3


async def test_a_reset_forward_that_would_skip_is_refused(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        patient = str(uuid4())
        await refer(run, patient, "routine")
        await run.settle()
        await tell(run, "pause", topic="intake", reason="to look")
        await noticed(run, f"{topic_of('intake', run.settings.topic_prefix)}[{partition_of(patient)}]")
        await refer(run, patient, "routine", "routine", "routine")
        async with asyncio.timeout(10):
            while (await state(run, "intake", partition_of(patient)))["head"] < 4:
                await asyncio.sleep(0.05)
        asked = {"topic": "intake", "partitions": [partition_of(patient)], "reason": "skip it"}
        refused = await run.post("scheduling", "/internal/consumers/reset", {**asked, "to": 3})
        assert (refused.status_code, refused.json()["title"]) == (409, "Would skip")
        assert refused.json()["detail"].startswith(f"Partition {partition_of(patient)}: 2 records")
        beyond = await run.post("scheduling", "/internal/consumers/reset", {**asked, "to": 99})
        assert (beyond.status_code, beyond.json()["title"]) == (409, "Out of reach")
        await tell(run, "resume", topic="intake")
        await run.settle()
        assert await received(run, patient) == 4


async def test_a_reader_that_is_set_into_a_gap_goes_on_behind_what_was_published_again(running: Run) -> None:
    """A topic lost records; its store publishes them again, behind the record that found the gap."""
    async with running(INTAKE, SCHEDULING) as run:
        patient = str(uuid4())
        number, topic = partition_of(patient), topic_of("intake", run.settings.topic_prefix)
        await refer(run, patient, "routine")
        await run.settle()
        await tell(run, "pause", topic="intake", reason="a gap is made")
        await noticed(run, f"{topic}[{number}]")
        await refer(run, patient, "routine", "routine")
        async with asyncio.timeout(10):
            while (await state(run, "intake", number))["head"] < 3:
                await asyncio.sleep(0.05)
        copy = [r for r in await run.runtime("intake").ground.store.read(0, 9) if r.envelope.position > 1]
        sender = await producer(run.settings.kafka_bootstrap)
        for record in copy:  # published again: offsets 3 and 4
            headers = to_headers(record.envelope, record.prev)
            key = record.envelope.key.encode()
            await sender.send_and_wait(topic, record.body, key=key, partition=number, headers=headers)
        await sender.stop()
        # From offset 2 on the second record is missing, though it comes again at offset 3.
        await tell(run, "reset", topic="intake", partitions=[number], to=2, reason="into the gap")
        await tell(run, "resume", topic="intake")
        await run.settle()
        assert await received(run, patient) == 3
        assert (await run.get("scheduling", "/health/ready")).json()["faults"] == []


async def test_what_is_not_read_and_the_own_store_are_refused(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        unknown = await run.post("scheduling", "/internal/consumers/pause", {"topic": "audit", "reason": "x"})
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "The service reads store, intake.")
        for topic, has in (
            ("intake", ".events has the partitions 0 to 11."),
            ("store", "store has 0 alone."),
        ):
            beyond = {"topic": topic, "partitions": [3, 12], "reason": "x"}
            none = await run.post("scheduling", "/internal/consumers/pause", beyond)
            assert (none.status_code, none.json()["title"]) == (404, "Unknown partition")
            assert has in none.json()["detail"]
        asked = {"topic": "store", "partitions": [0], "to": "beginning", "reason": "x"}
        own = await run.post("scheduling", "/internal/consumers/reset", asked)
        assert (own.status_code, own.json()["title"]) == (409, "Own store")
        nobody = await run.clients["scheduling"].post("/internal/consumers/resume", json={"topic": "intake"})
        assert nobody.status_code == 400
