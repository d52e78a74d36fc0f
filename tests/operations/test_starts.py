"""A process that starts while others write, beside forgeries or a Kafka that hangs, takes nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from aiokafka.errors import KafkaConnectionError

from chassis.config import Settings
from operations import walking
from operations.restoring import recover
from tests.chassis.forging import body, forger, headers, patient_of
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_restoring import log_of, restores
from tests.operations.test_topics import refer

pytestmark = pytest.mark.servers


async def test_starts_do_not_wait_for_each_others_kafka(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Kafka hangs each takes as long as one alone."""
    async with running(INTAKE):
        pass
    all_look = asyncio.Barrier(3)

    async def hangs(*_: Any) -> Any:
        await all_look.wait()
        raise KafkaConnectionError

    monkeypatch.setattr(walking, "tails", hangs)
    async with asyncio.timeout(20):
        await asyncio.gather(*(recover(INTAKE, settings) for _ in range(3)))


@pytest.mark.parametrize("forges", [False, True])
async def test_a_busy_service_gets_a_second_process(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, forges: bool
) -> None:
    """What the first one commits and publishes while the second looks is not missing in the store."""
    async with running(INTAKE) as run, forger(run) as send:
        await refer(run, 60)
        await run.settle()
        source: dict[str, bytes | None] = {"source": run.runtime("intake").origin.source.encode()}
        someone = patient_of(3)
        forged = headers(someone, 900, prev=b"1", **source)
        looked = list[str]()

        def busy(look: Any) -> Any:
            async def looks(*about: Any, **more: Any) -> Any:
                looked.append(look.__name__)
                await refer(run, 30)
                await run.settle()
                if forges:  # last in its partition, else nobody looks further
                    await send(3, str(someone), forged, body(someone))
                return await look(*about, **more)

            return looks

        monkeypatch.setattr(walking, "tails", busy(walking.tails))
        monkeypatch.setattr(walking, "walk", busy(walking.walk))
        await recover(INTAKE, settings)
        assert looked == (["tails", "walk"] if forges else ["tails"])
        assert await restores(run, "intake") == []
        assert len(await log_of(run, "intake")) == 60 + 30 * len(looked)


async def test_what_no_reader_takes_keeps_no_service_from_starting(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        await refer(run, 60)
        await run.settle()
        source: dict[str, bytes | None] = {"source": run.runtime("intake").origin.source.encode()}
        forged = patient_of(partition_with_events := 3)
        await send(
            partition_with_events, str(forged), headers(forged, 900, prev=b"1", **source), body(forged)
        )
    async with running(INTAKE, SCHEDULING) as run:
        assert (await run.post("intake", "/referrals", {"patient": str(UUID(int=1))})).status_code == 201
