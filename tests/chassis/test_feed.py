"""A topic feed among records that no service sent: it goes on with all others, and says where it cannot."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as sending
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from prometheus_client import REGISTRY

from tests.chassis import toy
from tests.chassis.forging import Bytes, body, forger, headers, patient_of
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers


async def has(run: Running, patient: UUID) -> bool:
    """Whether scheduling has counted a referral of a patient."""
    database = run.runtime("scheduling").ground.database
    return bool(await database.rows("select * from counts where patient = %s", patient))


async def applied(run: Running, patient: UUID) -> None:
    """Wait until scheduling has."""
    async with asyncio.timeout(15):
        while not await has(run, patient):
            await asyncio.sleep(0.02)


async def refer(run: Running, patient: UUID) -> None:
    answer = await run.post("intake", "/referrals", {"patient": str(patient)})
    assert answer.status_code == 201


async def readiness(run: Running) -> dict[str, Any]:
    found: dict[str, Any] = (await run.get("scheduling", "/health/ready")).json()
    return {name: found[name] for name in ("status", "faults")}


async def refused(run: Running) -> list[str]:
    """Where the records that scheduling refused are wrong."""
    records = await run.runtime("scheduling").ground.store.read(0, 1000)
    events: list[Any] = [record.decode() for record in records]
    return [event.places[0].at.split()[-1] for event in events if event.type().endswith("InputRefused")]


@pytest.mark.parametrize(
    ("name", "value"),
    [("epoch", b"2147483648"), ("eventversion", b"99999"), ("site", b"a\x00b"), ("stream", b"s" * 5000)],
)
async def test_a_record_that_no_table_could_keep_is_put_on_record_and_passed_over(
    running: Run, name: str, value: bytes
) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run, forger(run) as send:
        forged, good = patient_of(3), patient_of(3)
        await send(3, str(forged), headers(forged, 1, **{name: value}), body(forged))
        await refer(run, good)
        await applied(run, good)
        assert await readiness(run) == {"status": "ready", "faults": []}
        assert await refused(run) == [f"ce_{name}"]


@pytest.mark.parametrize("name", ["partition", "partitionkey", "source"])
async def test_a_record_that_claims_another_place_than_it_came_from_is_refused(
    running: Run, name: str
) -> None:
    """A claimed partition would move the positions of one that this process may not even read."""
    async with running(toy.INTAKE, toy.SCHEDULING) as run, forger(run) as send:
        forged, good = patient_of(3), patient_of(3)
        claims: dict[str, bytes | None] = {"partition": b"4", "source": b"urn:caretrail:billing:main"}
        key = "somebody-else" if name == "partitionkey" else str(forged)
        changes = {name: claims[name]} if name in claims else {}
        await send(3, key, headers(forged, 1, **changes), body(forged))
        await refer(run, good)
        await applied(run, good)
        assert await refused(run) == [f"ce_{name}"]


async def test_a_gap_stops_its_source_alone_and_is_told_until_what_is_missing_comes_behind_it(
    running: Run,
) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run, forger(run) as send:
        missing, forged = patient_of(3), patient_of(3)
        late = headers(forged, 9, prev=b"8")
        await send(3, str(forged), late, body(forged))
        async with asyncio.timeout(15):
            while (await readiness(run))["status"] == "ready":
                await asyncio.sleep(0.02)
        topic = run.runtime("intake").ground.topic
        [fault] = (await readiness(run))["faults"]
        assert f"{topic}[3]" in fault
        labels = {"topic": topic, "partition": "3"}
        assert REGISTRY.get_sample_value("caretrail_partition_stopped", labels) == 1
        for partition in range(12):
            other = patient_of(partition)
            await refer(run, other)
            await applied(run, other)
        assert not await has(run, forged)
        assert (await readiness(run))["faults"] == [fault]
        await send(3, str(missing), headers(missing, 8), body(missing))
        await send(3, str(forged), late, body(forged))
        await applied(run, forged)
        assert await has(run, missing)
        assert await readiness(run) == {"status": "ready", "faults": []}
        assert REGISTRY.get_sample_value("caretrail_partition_stopped", labels) == 0


async def test_what_fails_beside_the_handlers_is_held_to_its_record(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        sick, well = uuid4(), uuid4()
        store = run.runtime("scheduling").ground.store
        append = store.appender.append

        async def fails(connection: Any, batch: Any) -> Any:
            if any(
                fact.patient == sick and "Rejected" in fact.event.type()
                for packed in batch
                for fact in packed.commit.facts
            ):
                raise ValueError("a follow-up that cannot be written")
            return await append(connection, batch)

        monkeypatch.setattr(store.appender, "append", fails)
        await refer(run, sick)
        await refer(run, well)
        await applied(run, well)
        await run.settle()
        rows = await run.runtime("scheduling").ground.database.rows("select * from parked order by id")
        assert [(row["handler"], row["key"], row["error"]) for row in rows] == [
            ("Counts", str(sick), "ValueError"),
            ("when_referral_received", str(sick), "ValueError"),
        ]
        assert await readiness(run) == {"status": "ready", "faults": []}


@pytest.mark.parametrize("position", [10**6, 2**62, 2**63 - 1])
async def test_a_record_far_above_that_follows_what_was_long_applied_shadows_nothing(
    running: Run, position: int
) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run, forger(run) as send:
        first, second, forged, last = (patient_of(5) for _ in range(4))
        for good in (first, second):
            await refer(run, good)
        await applied(run, second)
        source = run.runtime("intake").origin.source.encode()
        claims = {"source": source, "prev": b"1", "epoch": b"1"}
        await send(5, str(forged), headers(forged, position, **claims), body(forged))
        await refer(run, last)
        await applied(run, last)
        assert not await has(run, forged)
        assert await refused(run) == ["ce_prev"]
        assert (await readiness(run))["faults"] == []


async def test_a_header_whose_name_is_no_utf8_stops_nobody(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone in its batch, and in the middle of one: what its sender sent with it goes unread too."""
    async with running(toy.INTAKE, toy.SCHEDULING) as run, forger(run) as send:
        with monkeypatch.context() as patch:
            for module in (sending, message_accumulator):
                patch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
            for number in (1, 2):
                forged = patient_of(3)
                named = [*headers(forged, number), (Bytes("q"), b"x")]
                await asyncio.gather(*(send(3, str(forged), named, body(forged)) for _ in range(number)))
        near, far = patient_of(3), patient_of(3, but=True)
        await refer(run, near)
        await refer(run, far)
        await applied(run, far)
        await applied(run, near)
        assert set(await refused(run)) == {"ce_specversion"}
        assert (await readiness(run))["faults"] == []
