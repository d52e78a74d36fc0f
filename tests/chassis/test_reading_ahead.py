"""What a feed reads while a batch is written is applied in its turn, once, whatever becomes of the batch."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest

from chassis import applying
from chassis.feeds import TopicFeed
from chassis.readings import Readings
from tests.chassis import toy
from tests.chassis.test_feed import refer
from tests.conftest import Run

pytestmark = pytest.mark.servers

PATIENTS = 40


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
