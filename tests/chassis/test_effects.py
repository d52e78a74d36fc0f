"""Effects are done whatever their group's offsets in Kafka say: the store knows which are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from caretrail_contracts.envelope import PARTITIONS, Envelope
from caretrail_contracts.event import Event
from caretrail_contracts.intake import ReferralReceived

from chassis.office import AdapterOffice
from chassis.service import Effect
from tests.chassis.toy import INTAKE
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers

PATIENTS = [str(UUID(int=number)) for number in (1, 2, 3)]


async def refer(run: Running, times: int) -> None:
    for patient in PATIENTS * times:
        assert (await run.post("intake", "/referrals", {"patient": patient})).status_code == 201
    await run.settle()


async def put_at_the_end(run: Running) -> None:
    """Move the group over all that is on the topic, as somebody with Kafka's own tools would."""
    topic = run.runtime("intake").topic
    where: dict[str, Any] = {"bootstrap_servers": run.settings.kafka_bootstrap}
    async with AIOKafkaConsumer(group_id=f"{topic}.effects", enable_auto_commit=False, **where) as outside:
        every = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = await outside.end_offsets(every)
        assert sum(ends.values()) == 9
        outside.assign(every)
        await outside.commit(ends)


async def test_a_group_that_was_moved_over_events_skips_no_effect_and_repeats_none(running: Run) -> None:
    done: list[tuple[UUID | None, int]] = []

    async def act(event: Event, about: Envelope, office: AdapterOffice) -> None:
        done.append((about.patient, about.position))

    service = replace(INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(service) as run:
        await refer(run, 1)
    assert len(done) == 3
    async with running(INTAKE) as run:
        await refer(run, 2)
        await put_at_the_end(run)
    async with running(service) as run:
        await refer(run, 1)
        assert len(done) == len(set(done)) == 12
        for patient in PATIENTS:
            positions = [position for about, position in done if str(about) == patient]
            assert positions == sorted(positions), "the effects of a key are done in order"
        assert (await run.runtime("intake").ground.database.rows("select * from parked")) == []
