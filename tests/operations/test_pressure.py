"""Pressure on real servers: while Kafka is away commands are taken up to a bound, then turned away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prometheus_client import REGISTRY

from chassis.clock import SharedClock
from chassis.config import Settings
from chassis.runtime import Role, Runtime
from operations import bulk
from operations.composed import composed
from tests.chassis import toy
from tests.conftest import Run
from tests.faults.proxy import Proxy
from tests.running import STAFF

pytestmark = pytest.mark.servers

BOUND = 5


@dataclass
class Cut:
    """Intake with a Kafka that can be stopped and let go on."""

    kafka: Proxy
    runtime: Runtime
    client: httpx.AsyncClient

    async def refer(self, key: str = "", **body: Any) -> httpx.Response:
        """Send a command."""
        headers = {**STAFF, "Idempotency-Key": key or uuid4().hex}
        return await self.client.post("/referrals", json={"patient": str(uuid4()), **body}, headers=headers)

    async def head(self) -> int:
        """How many events are in the log."""
        return await self.runtime.ground.store.head()

    async def reached(self, head: int) -> None:
        """Wait until the log holds so many events."""
        async with asyncio.timeout(20):
            while await self.head() < head:
                await asyncio.sleep(0.02)


@pytest.fixture
async def cut(running: Run, servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Cut]:
    """Intake with a low bound; its Kafka is away."""
    SharedClock(tmp_path / "clock", create=datetime(2026, 3, 2, 9, tzinfo=UTC))
    host, port = servers["kafka"].split(":")
    proxy = Proxy((host, int(port)))
    proxy.refuses = True
    await proxy.start()
    async with running(toy.INTAKE) as made:
        settings = made.settings
    kafka = {"kafka_bootstrap": f"127.0.0.1:{proxy.port}", "clock_file": tmp_path / "clock"}
    async with serving(settings.model_copy(update={**kafka, "unpublished_max": BOUND}), proxy) as found:
        yield found
    await proxy.stop()


@asynccontextmanager
async def serving(settings: Settings, proxy: Proxy) -> AsyncIterator[Cut]:
    app = composed(toy.INTAKE, settings, Role.ALL)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://toy")
        )
        yield Cut(proxy, app.state.runtime, client)


def turned_away(bound: str) -> float:
    """How many commands were."""
    found = REGISTRY.get_sample_value("caretrail_commands_turned_away_total", {"bound": bound})
    return found or 0.0


async def fill(cut: Cut) -> httpx.Response:
    """Send commands until one is turned away."""
    for _ in range(BOUND + 1):
        assert (await cut.refer()).status_code == 201
    return await cut.refer("again")


async def test_a_stopped_kafka_turns_commands_away_only_beyond_the_bound(cut: Cut) -> None:
    before = turned_away("unpublished")
    answer = await fill(cut)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (503, "urn:caretrail:problem:Overloaded")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert await cut.head() == BOUND + 1, "nothing was written"
    assert turned_away("unpublished") == before + 1


async def test_a_command_that_was_turned_away_is_taken_under_its_key_once_kafka_is_back(cut: Cut) -> None:
    await fill(cut)
    cut.kafka.refuses = False
    async with asyncio.timeout(30):
        while (answer := await cut.refer("again", patient=str(uuid4()))).status_code == 503:
            await asyncio.sleep(0.05)
    assert (answer.status_code, answer.json()["repeated"]) == (201, False)
    assert await cut.head() == BOUND + 2
    assert "refusing" not in (await cut.client.get("/health/ready")).json()


async def test_reads_go_on_and_health_says_why_commands_do_not(cut: Cut) -> None:
    await fill(cut)
    ready = await cut.client.get("/health/ready")
    assert ready.status_code == 200, "who only reads is served"
    assert ready.json()["refusing"] == f"{BOUND + 1} events are not published, {BOUND} may be"
    looked = await cut.client.get("/internal/progress", headers=STAFF)
    assert (looked.status_code, looked.json()["head"]) == (200, BOUND + 1)


async def test_follow_up_events_are_written_beyond_the_bound(cut: Cut, tmp_path: Path) -> None:
    assert (await cut.refer(urgency="urgent")).status_code == 201
    for _ in range(BOUND):
        assert (await cut.refer()).status_code == 201
    assert (await cut.refer()).status_code == 503
    async with asyncio.timeout(20):
        while not await cut.runtime.ground.database.rows("select 1 from timers"):
            await asyncio.sleep(0.02)
    SharedClock(tmp_path / "clock").move(datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(hours=1))
    await cut.reached(BOUND + 2)
    assert (await cut.refer()).status_code == 503


async def test_a_malformed_command_is_turned_away_unrecorded_too(cut: Cut) -> None:
    await fill(cut)
    answer = await cut.client.put("/referrals", content=b"{", headers=STAFF)
    assert answer.status_code == 503
    assert await cut.head() == BOUND + 1


async def test_each_line_of_many_meets_the_bound_as_a_request_of_its_own(
    cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    before, headers = turned_away("unpublished"), {**STAFF, "Content-Type": bulk.MEDIA_TYPE}
    bodies = [{"patient": str(uuid4())} for _ in range(3 * BOUND)]
    lines = [{"key": f"l-{n}", "path": "/referrals", "body": body} for n, body in enumerate(bodies)]
    text = "\n".join(map(json.dumps, lines))
    answer = await cut.client.post("/commands", content=text, headers=headers)
    found = [json.loads(line) for line in answer.text.splitlines()]
    taken = [each["key"] for each in found if each["status"] == 201]
    assert len(found) == 3 * BOUND
    assert BOUND < len(taken) <= BOUND + bulk.AT_ONCE
    assert await cut.head() == len(taken)
    assert taken == [line["key"] for line in lines[: len(taken)]]
    last = found[-1]
    assert (last["status"], last["body"]["type"]) == (503, "urn:caretrail:problem:Overloaded")
    assert 1 <= last["retry_after"] <= 30
    assert "retry_after" not in found[0]
    assert turned_away("unpublished") == before + 3 * BOUND - len(taken)


async def test_a_bound_holds_after_a_restart_from_the_first_command_on(cut: Cut) -> None:
    await fill(cut)
    async with serving(cut.runtime.settings, cut.kafka) as anew:
        assert (await anew.refer()).status_code == 503


async def test_a_full_queue_turns_commands_away(cut: Cut) -> None:
    before, settings = turned_away("queued"), cut.runtime.settings.model_copy(update={"queued_max": 0})
    async with serving(settings, cut.kafka) as full:
        answer = await full.refer()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert await full.head() == 0
    assert turned_away("queued") == before + 1
