"""A new version of a read model is filled and proved beside the one that serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

import httpx
import pytest
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ReferralAccepted, ReferralReceived

from chassis.database import Database
from chassis.projection import Change, Projection, Table, on
from operations import members
from operations.composed import composed
from tests.chassis.toy import INTAKE, SCHEDULING, Counts
from tests.conftest import Run
from tests.operations.test_rebuilding import ENDED_MAX_S, Openings, ask, cut, refer, rows
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


@asynccontextmanager
async def beside(run: Running, *projections: Projection) -> AsyncIterator[httpx.AsyncClient]:
    """A further process of scheduling, with these projections."""
    app = composed(replace(SCHEDULING, projections=projections), run.settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            yield client


async def until(client: httpx.AsyncClient, name: str, **wanted: object) -> dict[str, Any]:
    """Wait until a projection's state has these values; gives it."""
    state: dict[str, Any] = {}
    async with asyncio.timeout(ENDED_MAX_S):
        while not wanted.items() <= state.items():
            await asyncio.sleep(0.05)
            state = (await client.get(f"/internal/projections/{name}")).json()
    return state


async def says_nothing_of_older(client: httpx.AsyncClient) -> None:
    """Wait for the look after the rebuild."""
    async with asyncio.timeout(ENDED_MAX_S):
        while (await client.get("/health/ready")).json()["older"]:
            await asyncio.sleep(0.05)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Desks look often."""
    monkeypatch.setattr("operations.desk.LOOK_S", 0.2)


LOOKS_S = 1.5
"""In which they look several times."""


async def test_a_projection_that_an_old_process_lacks_is_folded_again_once_that_is_gone(
    running: Run, looking: None
) -> None:
    async with AsyncExitStack() as older, AsyncExitStack() as newer:
        run = await older.enter_async_context(running(INTAKE, SCHEDULING))
        await refer(run, 20)
        await run.settle()
        client = await newer.enter_async_context(beside(run, Counts(), Openings()))
        async with asyncio.timeout(ENDED_MAX_S):
            while not (told := (await client.get("/health/ready")).json()["older"]):
                await asyncio.sleep(0.05)
        assert told == ["Openings: what another release folded, or lacks, serves until 1 is rebuilt"]
        await refer(run, 40, patients=40)
        await run.settle()
        for action in ("rebuild", "verify"):
            refused = await client.post("/internal/projections/Openings", json={"action": action})
            assert (refused.status_code, refused.json()["title"]) == (409, "Releases mixed")
        assert (await ask(run, "verify", "Counts"))["outcome"] == "equal", "which both fold alike"
        await older.aclose()
        state = await until(client, "Openings", mixed_at=None)
        assert state["run_mixed_at"], "the mark for which it was folded anew"
        assert state["outcome"]["against"] == "proof"
        assert state["outcome"]["tables"]["openings"]["rows"] == 60
        await says_nothing_of_older(client)


async def test_an_old_process_that_was_taken_for_dead_folds_no_more(
    running: Run, looking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was frozen, and thaws once the new version serves; its look at who is there comes last."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 40)
        await run.settle()
        frozen, thawed = run.runtime("scheduling").ground.member, asyncio.Event()

        async def is_seen(database: Database, member: UUID) -> bool:
            if member == frozen:
                await thawed.wait()
            return await seen(database, member)

        seen = members.is_seen
        monkeypatch.setattr("operations.members.is_seen", is_seen)
        async with beside(run, Next()) as client:
            await rows(run, f"update members set seen_at = 'epoch' where member = '{frozen}' returning 1")
            await until(client, "Counts", serves=2, mixed_at=None)
            await refer(run, 80, patients=80)
            old = run.clients["scheduling"]
            async with asyncio.timeout(ENDED_MAX_S):
                while "Fenced" not in str((await old.get("/health/ready")).json()["faults"]):
                    await asyncio.sleep(0.05)
            thawed.set()
            async with asyncio.timeout(ENDED_MAX_S):
                while (await rows(run, "select sum(accepted) as n from counts"))[0]["n"] < 120:
                    await asyncio.sleep(0.05)
            assert (await ask(run, "verify", client=client))["outcome"] == "equal"
            await says_nothing_of_older(client)
            answer = await old.get("/health/ready")
            assert answer.status_code == 503
            assert any(
                said.startswith("desk: this process was taken for dead") for said in answer.json()["faults"]
            )


async def test_a_release_that_is_rolled_back_folds_again_what_it_missed(running: Run, looking: None) -> None:
    """The newer one dropped a projection, which stops nobody, and had another version of a second one."""
    async with running(INTAKE, TWO_MODELS) as run:
        await refer(run, 20)
        await run.settle()
        async with beside(run, Next()) as client:
            await run.apps["scheduling"].state.runtime.ownership.__aexit__()
            await refer(run, 20, patients=20)
            async with asyncio.timeout(ENDED_MAX_S):
                while (await rows(run, "select sum(accepted) as n from counts"))[0]["n"] < 40:
                    await asyncio.sleep(0.05)
            assert (await client.get("/health/ready")).json()["faults"] == []
    async with running(INTAKE, TWO_MODELS) as run:
        client = run.clients["scheduling"]
        for name in ("Counts", "Openings"):
            await until(client, name, serves=1, mixed_at=None)
            assert (await ask(run, "verify", name))["outcome"] == "equal"
        assert (await rows(run, "select count(*) as n from openings"))[0]["n"] == 40


TWO_MODELS = replace(SCHEDULING, projections=(Counts(), Openings()))


async def test_a_new_version_waits_for_its_rebuild_until_no_process_of_another_one_folds(
    running: Run, looking: None
) -> None:
    async with AsyncExitStack() as later, AsyncExitStack() as older:
        run = await older.enter_async_context(running(INTAKE, SCHEDULING))
        await refer(run, 40)
        await run.settle()
        app = composed(replace(SCHEDULING, projections=(Next(),)), run.settings)
        await later.enter_async_context(app.router.lifespan_context(app))
        end = asyncio.get_running_loop().time() + LOOKS_S
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


async def test_a_new_version_whose_swap_is_interrupted_is_swapped_in_all_the_same(
    running: Run, looking: None
) -> None:
    """A reader keeps the old table, so that the swap waits; there the rebuild's connection is lost."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
    async with running(INTAKE, replace(SCHEDULING, projections=(Next(),))) as run:
        async with run.runtime("scheduling").ground.database.transaction() as report:
            await report.execute("select * from counts")
            async with asyncio.timeout(ENDED_MAX_S):
                while not await rows(run, "select from rebuilds where phase = 'swapping'"):
                    await asyncio.sleep(0.02)
            await cut(run)
            async with asyncio.timeout(ENDED_MAX_S):
                while not await rows(run, "select from rebuilds where phase = 'swapping' and turn = 2"):
                    await asyncio.sleep(0.05)
        assert (await outcome_of_version(run, 2))["outcome"] == "swapped"


async def outcome_of_version(run: Running, version: int) -> Any:
    """The outcome of the rebuild that the service began by itself."""
    async with asyncio.timeout(ENDED_MAX_S):
        while True:
            state = (await run.clients["scheduling"].get("/internal/projections/Counts")).json()
            if state["run_version"] == version and state["ended_at"]:
                return state["outcome"]
            await asyncio.sleep(0.05)
