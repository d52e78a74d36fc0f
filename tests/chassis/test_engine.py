"""The chassis on real Kafka and PostgreSQL: exactly once in effect, parking, timers, idempotence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from caretrail_contracts.envelope import PARTITIONS, Envelope, topic_of
from caretrail_contracts.intake import ReferralReceived
from caretrail_contracts.system import InputRefused

from chassis.clock import SharedClock
from chassis.feeds import READER
from chassis.kafka import producer
from chassis.office import AdapterOffice
from chassis.relay import Message, Relay
from chassis.runtime import Role, Runtime
from chassis.service import Effect
from deploy.local.ports import free_port
from operations.progress import NEW, Progress
from tests.chassis import toy
from tests.conftest import Run
from tests.faults.proxy import Proxy
from tests.running import STAFF, Running

pytestmark = pytest.mark.servers


async def counts(run: Running) -> dict[str, tuple[int, int]]:
    rows = await run.runtime("scheduling").ground.database.rows("select * from counts")
    return {str(row["patient"]): (row["received"], row["accepted"]) for row in rows}


async def types(run: Running, service: str) -> list[str]:
    records = await run.runtime(service).ground.store.read(0, 1000)
    return [record.envelope.type.rpartition(".")[2] for record in records]


async def test_an_event_reaches_the_other_services_projection_and_policy_once(running: Run) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        patients = [str(uuid4()) for _ in range(20)]
        await asyncio.gather(*(run.post("intake", "/referrals", {"patient": p}) for p in patients))
        await run.settle()
        assert await counts(run) == dict.fromkeys(patients, (1, 0))
        assert await types(run, "scheduling") == ["EnrollmentRejected"] * 20


async def test_after_a_restart_nothing_is_applied_twice(running: Run) -> None:
    patient = str(uuid4())
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        assert await counts(run) == {patient: (2, 0)}
        assert len(await types(run, "scheduling")) == 2


async def test_a_relay_that_repeats_after_a_crash_changes_nothing(running: Run) -> None:
    patient = str(uuid4())
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        await run.runtime("intake").ground.database.rows(
            "update relay_mark set position = 0 returning position"
        )
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        assert await counts(run) == {patient: (2, 0)}


async def test_a_relay_that_reads_ahead_follows_its_mark_where_somebody_moves_it(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients, begun, take = [str(uuid4()) for _ in range(40)], list[int](), Relay.take

    async def moved_back(self: Relay, found: Sequence[Message]) -> int:
        if self.ground.service.name == "intake":
            begun.append(found[0][0])
            if len(begun) == 2:
                await self.ground.database.rows(
                    "update relay_mark set position = %s returning 1", begun[1] - 2
                )
        return await take(self, found)

    monkeypatch.setattr(Relay, "batch_max", 3)
    monkeypatch.setattr(Relay, "take", moved_back)
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await asyncio.gather(*(run.post("intake", "/referrals", {"patient": p}) for p in patients))
        await run.settle()
        assert await counts(run) == dict.fromkeys(patients, (1, 0))
    assert begun[2] == begun[1] - 1
    assert begun[3:] == sorted(begun[3:])


async def test_a_topic_that_was_lost_is_read_from_the_beginning_and_filtered(running: Run) -> None:
    patient = str(uuid4())
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        await run.runtime("intake").ground.database.rows(
            "update relay_mark set position = 0 returning position"
        )
        positions = run.runtime("scheduling").ground.database
        moved = "update positions set kafka_offset = kafka_offset + 7 where topic <> 'store' returning topic"
        await positions.rows(moved)
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        assert await counts(run) == {patient: (2, 0)}


async def test_poison_parks_one_key_of_one_handler_and_the_rest_flows(running: Run) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        sick, well = str(uuid4()), str(uuid4())
        await run.post("intake", "/referrals", {"patient": sick, "urgency": "stat"})
        await run.post("intake", "/referrals", {"patient": sick})
        await run.post("intake", "/referrals", {"patient": well})
        await run.settle()
        assert await counts(run) == {well: (1, 0)}
        found = await types(run, "scheduling")
        assert found.count("EnrollmentRejected") == 3, "the policy is another handler: it goes on"
        assert found.count("RecordParked") == 1
        rows = await run.runtime("scheduling").ground.database.rows("select * from parked order by id")
        assert [(row["handler"], row["key"], row["error"]) for row in rows] == [
            ("Counts", sick, "KeyError"),
            ("Counts", sick, "waits"),
        ]


async def test_a_timer_fires_once_when_the_shared_clock_reaches_it(running: Run, tmp_path: Path) -> None:
    begin = datetime(2026, 3, 2, 9, tzinfo=UTC)
    clock = SharedClock(tmp_path / "clock", create=begin)
    async with running(toy.INTAKE, clock_file=tmp_path / "clock") as run:
        await run.post("intake", "/referrals", {"patient": str(uuid4()), "urgency": "urgent"})
        await run.settle()
        assert await types(run, "intake") == ["ReferralReceived"]
        clock.move(begin + timedelta(hours=1))
        await run.settle()
        records = await run.runtime("intake").ground.store.read(1, 10)
        assert [r.envelope.type for r in records] == ["caretrail.intake.ReferralAccepted"]
        assert records[0].envelope.recorded_at == begin + timedelta(hours=1)


async def test_processes_of_one_role_each_share_the_work_and_take_over_what_another_leaves(
    running: Run, tmp_path: Path
) -> None:
    clock = SharedClock(tmp_path / "clock", create=datetime(2026, 3, 2, 9, tzinfo=UTC))
    patients = [str(uuid4()) for _ in range(20)]
    async with (
        running(toy.INTAKE, toy.SCHEDULING, clock_file=tmp_path / "clock") as run,
        AsyncExitStack() as also,
    ):
        apart = [
            await also.enter_async_context(Runtime(service, run.settings, role))
            for service in (toy.INTAKE, toy.SCHEDULING)
            for role in (Role.RELAY, Role.CONSUMERS, Role.TIMERS)
        ]
        readers = [run.runtime("scheduling").ownership, apart[4].ownership]
        async with asyncio.timeout(10):
            while [len(each.held(READER)) for each in readers] != [PARTITIONS // 2] * 2:
                await asyncio.sleep(0.01)
        urgent = {"urgency": "urgent"}
        await asyncio.gather(*(run.post("intake", "/referrals", {"patient": p} | urgent) for p in patients))
        await run.settle()
        for service in ("intake", "scheduling"):
            await run.runtime(service).ownership.__aexit__()
        await asyncio.gather(*(run.post("intake", "/referrals", {"patient": p}) for p in patients))
        clock.move(clock.now() + timedelta(hours=1))
        await run.settle()
        assert await counts(run) == dict.fromkeys(patients, (2, 1))


async def test_a_process_that_only_answers_knows_of_effects_that_another_has_in_hand(running: Run) -> None:
    may_end = asyncio.Event()

    async def act(event: ReferralReceived, about: Envelope, office: AdapterOffice) -> None:
        await may_end.wait()

    service = replace(toy.INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(service) as run, Runtime(service, run.settings, Role.API) as answering:
        progress = Progress(answering)
        await run.post("intake", "/referrals", {"patient": str(uuid4())})
        assert (await progress.now())["effects"] == 1
        may_end.set()
        await run.settle()
        assert (await progress.now())["effects"] == 0
        # Who looks for the first time does not go through all that was ever done: it begins at the marks.
        about, database = (0, 2**63 - 1, [ReferralReceived.type()]), answering.ground.database
        async with asyncio.timeout(10):
            while await database.rows(NEW, *about):
                await asyncio.sleep(0.01)


async def test_effects_begin_though_kafka_was_away_when_their_process_started(
    running: Run, servers: dict[str, str]
) -> None:
    done = asyncio.Event()

    async def act(event: ReferralReceived, about: Envelope, office: AdapterOffice) -> None:
        done.set()

    host, port = servers["kafka"].split(":")
    service, proxy = (
        replace(toy.INTAKE, effects=(Effect("letter", ReferralReceived, act),)),
        Proxy((host, int(port))),
    )
    proxy.refuses = True
    await proxy.start()
    async with running(toy.INTAKE) as run:
        apart = run.settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{proxy.port}"})
        async with Runtime(service, apart, Role.CONSUMERS):
            await run.post("intake", "/referrals", {"patient": str(uuid4())})
            await asyncio.sleep(1)
            proxy.refuses = False
            assert await asyncio.wait_for(done.wait(), 30)
    await proxy.stop()


async def test_effects_are_carried_out_where_several_brokers_are_named_and_one_is_away(running: Run) -> None:
    done = asyncio.Event()

    async def act(event: ReferralReceived, about: Envelope, office: AdapterOffice) -> None:
        done.set()

    service = replace(toy.INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(toy.INTAKE) as run:
        several = f"127.0.0.1:{free_port()},{run.settings.kafka_bootstrap}"
        among = run.settings.model_copy(update={"kafka_bootstrap": several})
        async with Runtime(service, among, Role.CONSUMERS):
            await run.post("intake", "/referrals", {"patient": str(uuid4())})
            assert await asyncio.wait_for(done.wait(), 15)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([("content-type", b"application/json")], b"no JSON"),
        ([("ce_id", b"\xff")], b"{}"),
        ([("ce_type", None)], b"{}"),
    ],
)
async def test_effects_pass_over_what_is_not_text_and_nothing_else(
    running: Run, headers: list[tuple[str, bytes | None]], body: bytes
) -> None:
    done = asyncio.Event()

    async def act(event: ReferralReceived, about: Envelope, office: AdapterOffice) -> None:
        done.set()

    service = replace(toy.INTAKE, effects=(Effect("letter", ReferralReceived, act),))
    async with running(toy.INTAKE) as run:
        async with Runtime(service, run.settings, Role.API):
            pass  # from here on there is the effect
        await run.post("intake", "/referrals", {"patient": str(uuid4())})
        await run.settle()
        sender = await producer(run.settings.kafka_bootstrap)
        for partition in range(PARTITIONS):
            topic = topic_of("intake", run.settings.topic_prefix)
            await sender.send_and_wait(topic, body, partition=partition, headers=headers)
        await sender.stop()
        async with Runtime(service, run.settings, Role.CONSUMERS):
            assert await asyncio.wait_for(done.wait(), 15)


async def test_a_refusal_is_recorded_once_and_given_again(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        got = (await run.post("intake", "/referrals", {"patient": str(uuid4())})).json()
        path = f"/referrals/{got['command_id']}/accept"
        assert (await run.post("intake", path)).status_code == 200
        refused = [await run.post("intake", path, key="again") for _ in range(2)]
        assert [answer.status_code for answer in refused] == [409, 409]
        assert refused[0].json() == refused[1].json()
        assert refused[0].json()["detail"] == "It is accepted already."
        assert (await types(run, "intake")).count("CommandRefused") == 1


async def test_the_same_key_with_another_body_is_refused(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        one, other = ({"patient": str(uuid4())} for _ in range(2))
        first = await run.post("intake", "/referrals", one, key="k")
        again = await run.post("intake", "/referrals", one, key="k")
        assert again.json() == {**first.json(), "repeated": True}
        assert (await run.post("intake", "/referrals", other, key="k")).status_code == 422


@pytest.mark.parametrize(
    ("left_out", "at"),
    [("Caretrail-Actor", "Caretrail-Actor"), ("Caretrail-Purpose", "Caretrail-Purpose")],
)
async def test_nobody_acts_without_name_and_purpose(running: Run, left_out: str, at: str) -> None:
    async with running(toy.INTAKE) as run:
        refused = await run.post("intake", "/referrals", {"patient": str(uuid4())}, **{left_out: ""})
        assert refused.status_code == 400
        assert refused.json()["places"][0]["at"] == at


async def test_a_body_over_the_limit_is_refused_and_on_record(running: Run) -> None:
    async with running(toy.INTAKE, body_bytes_max=1000) as run:
        refused = await run.post("intake", "/referrals", {"patient": "x" * 2000})
        assert refused.status_code == 413
        assert refused.json()["places"] == [{"at": "byte 1001", "expected": "at most 1000 bytes"}]
        [record] = await run.runtime("intake").ground.store.read(0, 10)
        event = record.decode()
        assert isinstance(event, InputRefused)
        assert (event.door, event.rule) == ("POST /referrals", "BodyTooLarge")
        assert record.envelope.actor.id == STAFF["Caretrail-Actor"].partition(";")[0]


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/referrals/Ana-Smith/accept", "POST /referrals/{referral}/accept"),
        ("/Ana-Smith", "POST unknown route"),
    ],
)
@pytest.mark.parametrize("size", [1, 2000])
async def test_what_a_caller_wrote_in_a_path_is_not_on_record(
    running: Run, path: str, door: str, size: int
) -> None:
    async with running(toy.INTAKE, body_bytes_max=1000) as run:
        answer = await run.post("intake", path, "x" * size)
        found = await run.runtime("intake").ground.store.read(0, 10)
        if answer.status_code == 404:
            assert found == []
            return
        [event] = [record.decode() for record in found]
        assert isinstance(event, InputRefused)
        assert event.door == door


async def test_a_position_that_is_no_number_is_a_problem_not_a_bug(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        for after in ("x", "-1", "\u00b2"):  # a superscript two is a digit, and no number
            found = {**STAFF, "Caretrail-After": after, "Idempotency-Key": "k"}
            sent = httpx.Headers(found, encoding="latin-1")
            refused = await run.clients["intake"].post("/referrals", json={}, headers=sent)
            assert refused.status_code == 400
            assert refused.json()["places"][0]["at"] == "Caretrail-After"


async def test_a_message_with_a_broken_header_is_recorded_and_passed_over(running: Run) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        topic = topic_of("intake", run.settings.topic_prefix)
        sender = await producer(run.settings.kafka_bootstrap)
        headers: list[Any] = [("ce_specversion", b"1.0"), ("ce_id", b"nonsense")]
        await sender.send_and_wait(topic, value=b"{}", key=b"k", partition=0, headers=headers)
        await sender.stop()
        patients = [str(uuid4()) for _ in range(24)]
        for patient in patients:
            await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        assert await counts(run) == dict.fromkeys(patients, (1, 0))
        assert (await types(run, "scheduling")).count("InputRefused") == 1


async def test_health_and_metrics_answer(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        assert (await run.get("intake", "/health/live")).status_code == 200
        ready = {"status": "ready", "faults": [], "paused": [], "older": []}
        assert (await run.get("intake", "/health/ready")).json() == ready
        assert "caretrail_relay_position" in (await run.get("intake", "/metrics")).text
