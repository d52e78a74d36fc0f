"""What does not answer is waited for: a rebuild goes on where it stood, and nothing is written as its end."""

from __future__ import annotations

import asyncio
from uuid import UUID

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError

from chassis.config import database_url
from operations import away, filling
from operations.away import DATABASE, KAFKA, LOCK, MOMENT, Away, Silent, away_of, lasting
from operations.filling import Site
from operations.history import Incomplete
from operations.rebuilding import Rebuild, exclusive
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.faults.proxy import Proxy
from tests.operations.test_rebuilding import ENDED_MAX_S, ask, refer


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (KafkaConnectionError(), KAFKA),
        (TimeoutError(), KAFKA),
        (Silent("t gave nothing"), KAFKA),
        (psycopg.OperationalError("gone"), DATABASE),
        (psycopg.errors.LockNotAvailable("held"), LOCK),
        (psycopg.errors.CheckViolation("values"), None),
        (Incomplete("t ends"), None),
        (KeyError("a bug"), None),
    ],
)
def test_what_would_go_well_another_time_is_away(error: Exception, what: str | None) -> None:
    found = away_of(error)
    assert (found and (found.what, found.error)) == (what and (what, type(error).__name__))


async def test_work_is_begun_again_once_what_it_needs_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away, "WAIT_MIN_S", 0.0)
    ends, answers = iter([Away(KAFKA, "x"), Away(DATABASE, "x"), None]), iter([False, True])
    said: list[str] = []

    async def work() -> int:
        if end := next(ends):
            raise end
        return 7

    async def say(phase: str) -> None:
        said.append(phase)

    async def answered(bootstrap: str) -> bool:
        return next(answers)

    monkeypatch.setattr(away, "answers", answered)
    assert await lasting(work, say, "") == 7
    assert said == ["waiting for Kafka", "folding", "waiting for the database", "folding"]
    assert list(answers) == []


@pytest.mark.servers
async def test_a_rest_that_is_not_folded_in_time_is_not_tried_for_ever_and_kafka_not_blamed(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(away, "WAIT_MIN_S", 0.0)
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
        monkeypatch.setattr(filling, "STILL_MAX_S", 0.0)
        phases: list[str] = []

        async def phase(rebuild: Rebuild, name: str) -> None:
            phases.append(name)

        monkeypatch.setattr(Rebuild, "_phase", phase)
        found = await ask(run, "verify")
        assert found["outcome"] == "failed"
        assert found["why"].startswith("the last events could not be folded into Counts within 0 s")
        assert phases.count(f"waiting for {MOMENT}") == filling.LATE_MAX - 1
        assert f"waiting for {KAFKA}" not in phases
        monkeypatch.setattr(filling, "STILL_MAX_S", 15.0)
        assert (await ask(run, "verify"))["outcome"] == "equal"


@pytest.mark.servers
async def test_a_rebuild_waits_while_kafka_is_away_and_then_proves_itself(
    running: Run, servers: dict[str, str]
) -> None:
    host, port = servers["kafka"].split(":")
    kafka = Proxy((host, int(port)))
    kafka.refuses = True
    await kafka.start()
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
        settings = run.settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{kafka.port}"})
        site = Site(SCHEDULING, settings, database_url(settings, SCHEDULING.name))
        (counts,) = SCHEDULING.projections
        async with exclusive(site, counts) as connection, asyncio.timeout(ENDED_MAX_S):
            rebuild = Rebuild(site, counts, connection)
            await rebuild.plan("rebuild", 2)
            done = asyncio.create_task(rebuild.carry_out())
            desk = run.apps["scheduling"].state.desk
            while (state := await desk.state("Counts"))["phase"] == "folding":
                await asyncio.sleep(0.05)
            assert (state["phase"], state["ended_at"]) == ("waiting for Kafka", None)
            kafka.refuses = False
            assert (await done)["outcome"] == "swapped"
        rows = await run.runtime("scheduling").ground.database.rows(
            "select sum(received)::int as n from counts"
        )
        assert rows == [{"n": 20}]
        assert UUID(str(state["run"])) == UUID(str((await desk.state("Counts"))["run"]))
    await kafka.stop()
