"""A new version of a read model is filled and proved beside the one that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ReferralAccepted, ReferralReceived

from chassis.projection import Change, Table, on
from operations.composed import composed
from operations.desk import LOOK_S
from tests.chassis.toy import INTAKE, SCHEDULING, Counts
from tests.conftest import Run
from tests.operations.test_rebuilding import ENDED_MAX_S, ask, refer, rows
from tests.running import Running

pytestmark = pytest.mark.servers


WIDER = Table(
    "counts",
    key={"patient": "uuid"},
    values={"first_at": "timestamptz"},
    counters={"received": "integer", "accepted": "integer"},
)


class Next(Counts):
    """The next version of the counts: it also knows when somebody was first referred."""

    version: ClassVar[int] = 2
    tables: ClassVar[tuple[Table, ...]] = (WIDER,)

    @classmethod
    def name(cls) -> str:
        return "Counts"

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield WIDER.add(patient=event.patient, received=1)
        yield WIDER.put(patient=event.patient, first_at=about.recorded_at)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield WIDER.add(patient=about.patient, accepted=1)


class Disordered(Next):
    """A version whose fold does not commute across keys: patients share ten rows, each writes last values.

    One row could come to the same by chance.
    """

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield WIDER.put(patient=UUID(int=event.patient.int % 10), first_at=about.recorded_at)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield WIDER.add(patient=about.patient, accepted=1)


async def test_a_new_version_is_proved_by_a_second_fold_while_the_old_tables_serve(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 100)
        await run.settle()
    async with running(INTAKE, replace(SCHEDULING, projections=(Next(),))) as run:
        assert (await rows(run, "select sum(received)::int as n from counts"))[0]["n"] == 100
        await refer(run, 20)
        found = await outcome_of_version(run, 2)
        assert (found["outcome"], found["against"]) == ("swapped", "proof")
        await run.settle()
        (row,) = await rows(run, "select sum(received)::int as n, count(first_at) as known from counts")
        assert row == {"n": 120, "known": 40}
        assert (await ask(run, "verify"))["outcome"] == "equal"


async def test_a_new_version_that_depends_on_the_order_of_keys_is_not_swapped_in(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 100)
        await run.settle()
    async with running(INTAKE, replace(SCHEDULING, projections=(Disordered(),))) as run:
        found = await outcome_of_version(run, 2)
        assert found["outcome"] == "different"
        assert found["differences"][0]["columns"] == ["first_at"]
        assert found["differences"][0]["event"]["type"].endswith("ReferralReceived")
        serves = await rows(run, "select version from projections where name = 'Counts'")
        assert serves == [{"version": 1}]
        path = "/internal/projections/Counts/accept-difference"
        refused = await run.post("scheduling", path, {"reason": "it is wrong"})
        assert (refused.status_code, refused.json()["title"]) == (409, "Version waits")
        assert (await rows(run, "select sum(received)::int as n from counts"))[0]["n"] == 100


async def test_a_new_version_waits_for_its_rebuild_until_no_process_of_another_one_folds(
    running: Run,
) -> None:
    async with AsyncExitStack() as later, AsyncExitStack() as older:
        run = await older.enter_async_context(running(INTAKE, SCHEDULING))
        await refer(run, 40)
        await run.settle()
        app = composed(replace(SCHEDULING, projections=(Next(),)), run.settings)
        await later.enter_async_context(app.router.lifespan_context(app))
        end = asyncio.get_running_loop().time() + LOOK_S * 1.5
        while asyncio.get_running_loop().time() < end:
            await refer(run, 80, patients=80)
            assert await rows(run, "select * from rebuilds") == []
        await run.settle()
        await older.aclose()
        database = app.state.ground.database
        async with asyncio.timeout(ENDED_MAX_S):
            while await database.rows("select from projections where name = 'Counts' and version = 1"):
                await asyncio.sleep(0.1)
        assert await database.rows("select count(*) as n, count(first_at) as known from counts") == [
            {"n": 80, "known": 80}
        ]


async def outcome_of_version(run: Running, version: int) -> Any:
    """The outcome of the rebuild that the service began by itself."""
    async with asyncio.timeout(ENDED_MAX_S):
        while True:
            state = (await run.clients["scheduling"].get("/internal/projections/Counts")).json()
            if state["run_version"] == version and state["ended_at"]:
                return state["outcome"]
            await asyncio.sleep(0.05)
