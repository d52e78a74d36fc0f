"""What a feed reads while a batch is written is applied in its turn, once, whatever becomes of the batch."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from chassis import applying
from chassis.feeds import TopicFeed
from chassis.readings import Readings
from tests.chassis import toy
from tests.chassis.test_feed import refer
from tests.conftest import Run

pytestmark = pytest.mark.servers

PATIENTS = 40

Found = dict[TopicPartition, list[Any]]


@pytest.mark.parametrize("disturbed", ["by nothing", "by a database that is lost", "by what people tell it"])
async def test_what_is_read_ahead_is_applied_once(
    running: Run, monkeypatch: pytest.MonkeyPatch, disturbed: str
) -> None:
    ahead, left, read_on, changed = 0, 3, TopicFeed._read_on, Readings.changed

    def reads_on(feed: TopicFeed) -> None:
        nonlocal ahead, left
        read_on(feed)
        ahead += feed._ahead is not None
        if feed._ahead and left and disturbed == "by a database that is lost":
            left -= 1
            raise psycopg.OperationalError

    async def is_told(readings: Readings) -> bool:
        nonlocal left
        tells = ahead and left and disturbed == "by what people tell it" and not readings._own
        left -= bool(tells)
        return await changed(readings) or bool(tells)

    gaps = list[str | None]()
    monkeypatch.setattr(TopicFeed, "_tell", lambda feed, spot, gap: gaps.append(gap))
    monkeypatch.setattr(TopicFeed, "_read_on", reads_on)
    monkeypatch.setattr(Readings, "changed", is_told)
    monkeypatch.setattr(applying, "BATCH_MAX", 2)
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        patients = [uuid4() for _ in range(PATIENTS)]
        await asyncio.gather(*(refer(run, patient) for patient in patients))
        await run.settle()
        database = run.runtime("scheduling").ground.database
        rows = await database.rows("select patient, received from counts")
        assert {row["patient"]: row["received"] for row in rows} == dict.fromkeys(patients, 1)
        assert ahead
        assert not any(gaps)
        assert disturbed == "by nothing" or not left


async def test_a_partition_that_cannot_be_read_keeps_no_others_back(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka hands on what others brought, and raises when it is asked for more."""
    getmany, owed, raised = AIOKafkaConsumer.getmany, False, 0

    async def fails_behind_others(reader: AIOKafkaConsumer, **asked: int) -> Found:
        nonlocal owed, raised
        if owed:
            owed, raised = False, raised + 1
            raise TopicAuthorizationFailedError
        found: Found = await getmany(reader, **asked)
        owed = bool(found)
        return found

    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        monkeypatch.setattr(AIOKafkaConsumer, "getmany", fails_behind_others)
        patients = [uuid4() for _ in range(3)]
        await asyncio.gather(*(refer(run, patient) for patient in patients))
        await run.settle()
        rows = await run.runtime("scheduling").ground.database.rows("select patient, received from counts")
        assert {row["patient"]: row["received"] for row in rows} == dict.fromkeys(patients, 1)
        assert raised
