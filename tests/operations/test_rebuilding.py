"""A rebuild proves itself before it serves: on real servers, while the feed goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import httpx
import psycopg
import pytest
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ReferralReceived
from caretrail_contracts.scheduling import EnrollmentRejected

from chassis.projection import Change, Projection, Table, on
from tests.chassis.toy import INTAKE, SCHEDULING, Counts
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
    run: Running,
    action: str,
    name: str = "Counts",
    service: str = "scheduling",
    client: httpx.AsyncClient | None = None,
    **more: Any,
) -> Any:
    """Start a rebuild or verification and wait for its outcome."""
    client = client or run.clients[service]
    answer = await client.post(f"/internal/projections/{name}", json={"action": action, **more})
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
                "select id::text, stream, stream_version, position from events"
                f" where right(type, 8) = 'Accepted' and patient = '{patient}'"
                " order by position desc limit 1",
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


async def test_what_a_hand_did_to_the_tables_is_told(running: Run) -> None:
    """A row doubled without its key, a row that a constraint refuses: by count, event and constraint."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20, patients=20)
        await run.settle()
        await hand(run, "alter table counts drop constraint counts_pkey")
        await hand(run, f"insert into counts select * from counts where patient = '{UUID(int=3)}'")
        found = await ask(run, "verify")
        assert (found["outcome"], found["others"]["counts"]["rows"]) == ("different", 21)
        assert [each["times"] for each in found["differences"]] == [2]
        await hand(run, f"alter table counts add constraint odd check (patient <> '{UUID(int=7)}') not valid")
        found = await ask(run, "verify", processes=2)
        assert found["outcome"] == "failed"
        assert found["why"].endswith("cannot be folded: CheckViolation, constraint odd, table counts")
        assert found["event"]["type"].endswith("ReferralReceived")


async def test_an_event_beyond_the_position_applied_is_told_as_such(running: Run) -> None:
    async with running(INTAKE, TWO_SOURCES) as run:
        await refer(run, 10)
        await run.settle()
        await hand(run, "update positions set position = position - 1 where topic = 'store'")
        found = await ask(run, "verify", "Openings")
        assert found["outcome"] == "different"
        (difference,) = found["differences"]
        assert difference["columns"] == ["rejected"]
        assert difference["beyond"]["type"].endswith("EnrollmentRejected")


async def hand(run: Running, statement: str) -> None:
    """What somebody does in the database of scheduling by hand."""
    async with run.runtime("scheduling").ground.database.connection() as connection:
        await connection.execute(statement.encode())


async def test_a_rebuild_while_the_feed_applies_a_steady_load(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 300)
        stop = asyncio.Event()

        async def load() -> int:
            sent = 0
            while not stop.is_set():
                await refer(run, 10)
                sent += 10
                await asyncio.sleep(0.1)
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


async def test_a_second_rebuild_of_the_same_projection_is_refused(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 20)
        await run.settle()
        path, body = "/internal/projections/Counts", {"action": "rebuild"}
        client = run.clients["scheduling"]
        first, second = await asyncio.gather(client.post(path, json=body), client.post(path, json=body))
        assert sorted([first.status_code, second.status_code]) == [202, 409]
        refused = first if first.status_code == 409 else second
        assert refused.json()["title"] == "Rebuild running"
        assert (await outcome(run))["outcome"] == "swapped"
        assert (await client.post("/internal/projections/Nothing", json=body)).status_code == 404


async def test_one_that_was_killed_goes_on_where_it_stood_and_folds_nothing_twice(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers die by SIGKILL, its lock is lost beside them, they die again, then the service with them;
    the next service goes on by itself."""
    monkeypatch.setattr("operations.filling.BATCH", 20)
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 200)
        await run.settle()
        slow_down(run)
        answer = await run.clients["scheduling"].post(
            "/internal/projections/Counts", json={"action": "rebuild", "processes": 2}
        )
        assert answer.status_code == 202
        run_id, done = answer.json()["run"], 0
        for disturbed in (kill_workers, cut, kill_workers):
            done = await more_than(run, done)
            await disturbed(run)
        await more_than(run, done)
    async with running(INTAKE, SCHEDULING) as run:
        before = await rows(run, "select * from counts order by patient")
        found = await outcome(run)
        assert found["outcome"] == "swapped", found
        assert found["folded"] == 400
        state = (await run.clients["scheduling"].get("/internal/projections/Counts")).json()
        assert state["run"] == run_id
        assert await rows(run, "select * from counts order by patient") == before


def slow_down(run: Running) -> None:
    """Let each chunk of a fold take its time, so that it can be killed in the middle."""
    assert run.settings.postgres_url
    admin = run.settings.postgres_url.get_secret_value()
    with psycopg.connect(admin, dbname=f"{run.settings.database_prefix}_scheduling") as connection:
        connection.execute(
            "create function slow() returns trigger language plpgsql as"
            " $$ begin perform pg_sleep(0.2); return null; end $$"
        )
        connection.execute(
            "create trigger slow after update on rebuild_places for each statement execute function slow()"
        )


async def more_than(run: Running, done: int) -> int:
    """Wait until more is folded, while not all is."""
    async with asyncio.timeout(ENDED_MAX_S):
        while True:
            state = (await run.clients["scheduling"].get("/internal/projections/Counts")).json()
            assert state["ended_at"] is None, state
            if state["done"] > done:
                return int(state["done"])
            await asyncio.sleep(0.02)


async def cut(run: Running) -> None:
    """End the connection that holds a rebuild's lock."""
    ended = await rows(run, CUT)
    assert len(ended) == 1


CUT = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'scheduling:rebuild' and datname = current_database()
"""


async def kill_workers(_: Running) -> None:
    for worker in workers():
        os.kill(worker, signal.SIGKILL)


def workers() -> list[int]:
    """The worker processes that this process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv, stat = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except OSError:  # ended meanwhile
            continue
        if int(stat.rpartition(")")[2].split()[1]) == os.getpid() and b"operations.worker" in argv:
            found.append(int(folder.name))
    return found


OPENINGS = Table(
    "openings",
    key={"referral": "uuid"},
    values={"patient": "uuid", "rejected": "boolean"},
    indexes=("patient",),
)


class Openings(Projection):
    """Referrals of one service, and what the other made of them."""

    tables: ClassVar[tuple[Table, ...]] = (OPENINGS,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield OPENINGS.put(referral=event.referral, patient=event.patient)

    @on(EnrollmentRejected)
    def rejected(self, event: EnrollmentRejected, about: Envelope) -> Iterator[Change]:
        yield OPENINGS.put(referral=event.episode, rejected=True)


TWO_SOURCES = replace(SCHEDULING, projections=(Openings(),))


@pytest.mark.parametrize("processes", [1, 3])
async def test_a_projection_over_two_sources_own_and_another(running: Run, processes: int) -> None:
    async with running(INTAKE, TWO_SOURCES) as run:
        await refer(run, 60)
        await run.settle()
        found = await ask(run, "rebuild", "Openings", processes=processes)
        assert found["outcome"] == "swapped", found
        assert found["folded"] == 120
        assert found["tables"]["openings"]["rows"] == 60
        (whole,) = await rows(run, "select count(*) from openings where rejected and patient is not null")
        assert whole["count"] == 60
        indexes = await rows(
            run, "select 1 from pg_indexes where schemaname = 'public' and tablename = 'openings'"
        )
        assert len(indexes) == 2


async def test_a_new_projection_is_folded_before_the_service_serves(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30)
        await run.settle()
    async with running(INTAKE, replace(SCHEDULING, projections=(Counts(), Openings()))) as run:
        assert len(await rows(run, "select * from openings where rejected")) == 30
        assert (await ask(run, "verify", "Openings"))["outcome"] == "equal"


async def test_what_is_parked_is_left_to_be_redriven(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        patient = str(UUID(int=99))
        await run.post("intake", "/referrals", {"patient": patient, "urgency": "stat"})
        await run.post("intake", "/referrals", {"patient": patient})
        await refer(run, 10)
        await run.settle()
        found = await ask(run, "rebuild")
        assert (found["outcome"], found["tables"]["counts"]["rows"]) == ("swapped", 10)
        await rows(run, "delete from parked returning 1")
        found = await ask(run, "rebuild")
        assert found["outcome"] == "failed"
        assert found["event"]["type"].endswith("ReferralReceived")
        assert found["why"].endswith("KeyError")
