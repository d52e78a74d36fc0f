"""A rebuild proves itself before it serves: on real servers, while the feed goes on."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers

ENDED_MAX_S = 60.0


async def refer(run: Running, count: int, patients: int = 40) -> None:
    """Receive referrals, accept each."""
    names = [UUID(int=number % patients + 1) for number in range(count)]

    async def one(patient: UUID) -> None:
        answer = await run.post("intake", "/referrals", {"patient": str(patient)})
        assert answer.status_code == 201, answer.text
        (stream,) = answer.json()["streams"]
        await run.post("intake", f"/referrals/{stream[-36:]}/accept")

    for start in range(0, count, 50):
        await asyncio.gather(*map(one, names[start : start + 50]))


async def ask(
    run: Running, action: str, name: str = "Counts", service: str = "scheduling", **more: Any
) -> Any:
    """Start a rebuild or verification and wait for its outcome."""
    answer = await run.clients[service].post(f"/internal/projections/{name}", json={"action": action, **more})
    assert answer.status_code == 202, answer.text
    return await outcome(run, name, service)


async def outcome(run: Running, name: str = "Counts", service: str = "scheduling") -> Any:
    """The outcome of the one under way."""
    async with asyncio.timeout(ENDED_MAX_S):
        while True:
            state = (await run.clients[service].get(f"/internal/projections/{name}")).json()
            if state["ended_at"]:
                return state["outcome"]
            await asyncio.sleep(0.05)


async def rows(run: Running, query: str, service: str = "scheduling") -> list[dict[str, Any]]:
    return await run.runtime(service).ground.database.rows(query)


async def test_a_rebuilt_projection_equals_the_one_that_served(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 200)
        await run.settle()
        before = await rows(run, "select * from counts order by patient")
        found = await ask(run, "rebuild")
        assert found["outcome"] == "swapped", found
        assert found["folded"] == 400
        assert await rows(run, "select * from counts order by patient") == before
        await refer(run, 10)
        await run.settle()
        assert (await ask(run, "verify"))["outcome"] == "equal"


async def test_a_row_altered_by_hand_is_found_and_its_event_named(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 60, patients=20)
        await run.settle()
        patient = UUID(int=7)
        await rows(run, f"update counts set accepted = accepted - 1 where patient = '{patient}' returning 1")
        for action in ("verify", "rebuild"):
            found = await ask(run, action)
            assert found["outcome"] == "different", found
            (difference,) = found["differences"]
            accepted = await rows(
                run,
                "select id::text, stream, stream_version, position from events where right(type, 8) = 'Accepted'"
                f" and patient = '{patient}' order by position desc limit 1",
                "intake",
            )
            assert (difference["table"], difference["columns"]) == ("counts", ["accepted"])
            named = {name: difference["event"][name] for name in accepted[0]}
            assert named == accepted[0]
            assert str(patient) not in str({**found, "differences": difference["columns"]})
        assert (await rows(run, f"select accepted from counts where patient = '{patient}'"))[0][
            "accepted"
        ] == 2


@pytest.mark.parametrize(
    ("hand", "missing", "type"),
    [
        ("delete from counts where patient = '{}' returning 1", "live", "ReferralReceived"),
        (
            "update counts set patient = gen_random_uuid() where patient = '{}' returning 1",
            "live",
            "ReferralReceived",
        ),
    ],
)
async def test_a_row_deleted_or_forged_is_found(running: Run, hand: str, missing: str, type: str) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20, patients=20)
        await run.settle()
        await rows(run, hand.format(UUID(int=3)))
        found = await ask(run, "verify")
        assert found["outcome"] == "different"
        first = found["differences"][0]
        assert first["missing"] == missing
        assert first["event"]["type"].endswith(type)
        assert [each["event"] for each in found["differences"][1:]] == [None] * (
            len(found["differences"]) - 1
        )


async def test_a_rebuild_while_the_feed_applies_a_steady_load(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 300)
        stop = asyncio.Event()

        async def load() -> int:
            sent = 0
            while not stop.is_set():
                await refer(run, 10)
                sent += 10
            return sent

        loading = asyncio.create_task(load())
        try:
            for processes in (1, 2):
                found = await ask(run, "rebuild", processes=processes)
                assert found["outcome"] == "swapped", found
        finally:
            stop.set()
        sent = await loading
        await run.settle()
        assert sent > 0
        (total,) = await rows(run, "select sum(received)::int as r, sum(accepted)::int as a from counts")
        assert total == {"r": 300 + sent, "a": 300 + sent}
        assert (await ask(run, "verify"))["outcome"] == "equal"
