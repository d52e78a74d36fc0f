"""A store that was set back takes in what its topic holds: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from caretrail_contracts.cloudevents import Record, to_headers
from caretrail_contracts.envelope import PARTITIONS

from chassis.config import Settings
from deploy.topics import make_topics
from operations import walking
from operations.composed import composed
from operations.opening import ROOM
from operations.restoring import Behind, recover
from tests.chassis.forging import body, forger, headers, patient_of
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_topics import (
    assert_applied_once,
    assert_topic_is_store,
    delete,
    refer,
    state,
    taken,
)
from tests.running import STAFF, Running

pytestmark = pytest.mark.servers


def admin(settings: Settings, *statements: str, database: str = "postgres") -> None:
    """An administrator's statements."""
    assert settings.postgres_url
    url = psycopg.conninfo.make_conninfo(settings.postgres_url.get_secret_value(), dbname=database)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def keep(settings: Settings, service: str) -> None:
    """Keep a copy of a stopped service's database, as a backup of this moment."""
    name = f"{settings.database_prefix}_{service}"
    admin(settings, f"create database {name}_kept template {name}")


def set_back(settings: Settings, service: str) -> None:
    """Let the copy take the database's place."""
    name = f"{settings.database_prefix}_{service}"
    admin(settings, f"drop database {name} with (force)", f"alter database {name}_kept rename to {name}")


def know(settings: Settings, service: str, seen: str) -> None:
    """Say what is known to have been recorded, as the restore of a database that is still there does."""
    admin(settings, f"update place set seen = '{seen}'", database=f"{settings.database_prefix}_{service}")


async def log_of(run: Running, service: str) -> list[Record]:
    return await run.runtime(service).ground.store.read(0, 100_000)


def plain(records: list[Record]) -> list[Record]:
    """Without what the restore itself recorded."""
    return [
        record for record in records if not record.envelope.type.endswith(("StoreRestored", "EpochBegan"))
    ]


async def restores(run: Running, service: str) -> list[Any]:
    records = await log_of(run, service)
    return [record.decode() for record in records if record.envelope.type.endswith("StoreRestored")]


@pytest.mark.parametrize("known", [True, False])
async def test_a_service_set_back_takes_in_what_its_topic_holds(
    running: Run, settings: Settings, known: bool
) -> None:
    """Where all that was recorded is known to be there the epoch goes on; else one begins."""
    key, asked = uuid4().hex, {"patient": str(uuid4())}
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 50)
        await run.settle()
    keep(settings, "intake")
    async with running(INTAKE, SCHEDULING) as run:
        first = await run.post("intake", "/referrals", asked, key=key)
        await refer(run, 67)
        (stream,) = first.json()["streams"]
        accept = f"/referrals/{stream[-36:]}/accept"
        assert (await run.post("intake", accept)).status_code == 200
        refused = await run.post("intake", accept, key=key)
        await run.settle()
        before = await log_of(run, "intake")
    set_back(settings, "intake")
    if known:
        know(settings, "intake", '{"0": 0}')
    async with running(INTAKE, SCHEDULING) as run:
        again = await run.post("intake", "/referrals", asked, key=key)
        assert again.json() == first.json() | {"repeated": True}
        assert (await run.post("intake", accept, key=key)).json() == refused.json()
        found = (await run.get("intake", "/internal/digests")).json()
        assert found["commands"] == [], "the memory of commands fits the events"
        await refer(run, 10)
        await run.settle()
        after = plain(await log_of(run, "intake"))
        assert after[:120] == before
        begins = 122 if known else 120 + ROOM + PARTITIONS + 2
        assert [record.envelope.position for record in after[120:]] == list(range(begins, begins + 10))
        [event] = await restores(run, "intake")
        assert (event.head, event.imported, event.epoch) == (50, 70, 1 if known else 2)
        assert {record.envelope.epoch for record in after[120:]} == {1 if known else 2}
        await assert_topic_is_store(run, "intake")
        await assert_applied_once(run, 128)
    async with running(INTAKE, SCHEDULING) as run:
        assert len(await restores(run, "intake")) == 1, "a second start has nothing to take in"


async def test_a_reader_set_back_applies_nothing_twice(running: Run, settings: Settings) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 50)
        await run.settle()
    keep(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 50)
        await run.settle()
        before = await log_of(run, "scheduling")
        await refer(run, 20)
    set_back(settings, "scheduling")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30)
        await run.settle()
        assert (await log_of(run, "scheduling"))[:100] == before
        await assert_topic_is_store(run, "scheduling")
        await assert_applied_once(run, 150)


async def test_a_topic_that_lacks_the_end_too_begins_an_epoch_and_readers_go_on(
    running: Run, settings: Settings
) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 50)
        await run.settle()
    keep(settings, "intake")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 50)
        await run.settle()
        kept = (await log_of(run, "intake"))[:70]
        topic = run.runtime("intake").ground.topic
    set_back(settings, "intake")
    know(settings, "intake", str({part: 100 for part in map(str, range(12))}).replace("'", '"'))
    async with running(SCHEDULING) as run:
        await asyncio.to_thread(delete, run, topic)
        make_topics(settings.kafka_bootstrap, ["intake"], settings.topic_prefix)
        async with forger(run) as send:
            for record in kept:
                about = record.envelope
                await send(about.partition, about.key, to_headers(about, record.prev), record.body)
        async with running(INTAKE) as first:
            [event] = await restores(first, "intake")
            assert (event.imported, event.epoch) == (20, 2)
            await refer(first, 40)
            async with asyncio.timeout(30):
                while (await applied(run)) < 140:
                    await asyncio.sleep(0.05)
            assert plain(await log_of(first, "intake"))[:70] == kept
            assert sorted(await taken(first, "intake"), key=position) == await log_of(first, "intake")
        await assert_applied_once(run, 140)


def position(record: Record) -> int:
    return record.envelope.position


async def applied(run: Running) -> int:
    """How many referrals scheduling has counted, of those that are lost as well."""
    rows = await run.runtime("scheduling").ground.database.rows(
        "select coalesce(sum(received), 0)::int as n from counts"
    )
    return int(rows[0]["n"])


async def test_a_store_behind_its_topic_that_nobody_restored_does_not_serve(
    running: Run, settings: Settings
) -> None:
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        await refer(run, 5)
        await run.settle()
        database = run.runtime("intake").ground.database
        rows = await database.rows("select max(position) as head from events where partition = 3")
        claims: dict[str, bytes | None] = {
            "source": run.runtime("intake").origin.source.encode(),
            "prev": str(rows[0]["head"]).encode() if rows[0]["head"] else None,
        }
        forged = patient_of(3)
        await send(3, str(forged), headers(forged, 900, **claims), body(forged))
    with pytest.raises(Behind):
        async with running(INTAKE):
            pass


async def test_a_disk_set_back_shows_behind_the_records_of_other_cells(
    running: Run, settings: Settings
) -> None:
    """Cells share a topic: what ends a partition may be another's, at positions of its own."""
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        await refer(run, 20)
        await run.settle()
        for number in range(1, 101):
            someone = patient_of(number % 12)
            await send(number % 12, str(someone), headers(someone, 900 + number), body(someone))
        assert (await state(run))["state"] == "whole"
    keep(settings, "intake")
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        await refer(run, 30)
        await run.settle()
        for partition in range(12):
            someone = patient_of(partition)
            await send(partition, str(someone), headers(someone, 1), body(someone))
    set_back(settings, "intake")
    at_home = "update place set database = (select oid from pg_database where datname = current_database())"
    admin(settings, at_home, database=f"{settings.database_prefix}_intake")
    with pytest.raises(Behind):
        await recover(INTAKE, settings)


@asynccontextmanager
async def process(run: Running, end: Callable[[], None]) -> AsyncIterator[httpx.AsyncClient]:
    """One more process of intake, which is asked from now on; ``end`` is what it ends itself by."""
    app = composed(INTAKE, run.settings, end=end)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
        client.base_url = httpx.URL("http://service")
        run.apps["intake"], run.clients["intake"] = app, client
        yield client


EARLIER = "update place set timeline = timeline - 1"
"""What a database says that was promoted since its service stood on it."""


@pytest.mark.parametrize("lost", [True, False])
async def test_a_process_whose_database_becomes_another_writes_no_more_and_ends(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """What the other database lacks comes back from the topic with the next process, in a new epoch."""
    database = f"{settings.database_prefix}_intake"
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 50)
        await run.settle()
        monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", run.runtime("intake").ground.database.url)
    if lost:
        keep(settings, "intake")

    async def stays(client: httpx.AsyncClient) -> None:
        asked, sent = {"patient": str(uuid4())}, {**STAFF, "Idempotency-Key": uuid4().hex}
        assert (await client.post("/referrals", json=asked, headers=sent)).status_code == 503

    async with running(SCHEDULING) as run, AsyncExitStack() as stack:
        ended = asyncio.Event()
        first = await stack.enter_async_context(process(run, ended.set))
        await refer(run, 30)
        await run.settle()
        if lost:
            set_back(settings, "intake")
        else:
            admin(settings, EARLIER, database=database)
        await stays(first)
        async with asyncio.timeout(10):
            await ended.wait()
        async with process(run, lambda: None):
            [event] = await restores(run, "intake")
            assert (event.imported, event.epoch) == (30 if lost else 0, 2)
            await stays(first)
            await stack.aclose()
            await refer(run, 30)
            await run.settle()
            records = plain(await log_of(run, "intake"))
            assert [record.envelope.epoch for record in records] == [1] * 80 + [2] * 30
            await assert_topic_is_store(run, "intake")
            await assert_applied_once(run, 110)


async def test_what_is_written_while_the_topic_is_read_is_not_taken_in_twice(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a store moved nobody writes; should somebody all the same, it does no harm."""
    database = f"{settings.database_prefix}_intake"
    async with running(INTAKE) as run:
        await refer(run, 30)
        await run.settle()
        look, (here,) = walking.walk, await run.runtime("intake").ground.database.rows("select * from place")

        async def busy(*about: Any, **more: Any) -> Any:
            monkeypatch.setattr(walking, "walk", look)
            admin(settings, f"update place set timeline = {here['timeline']}", database=database)
            await refer(run, 30)
            await run.settle()
            admin(settings, EARLIER, database=database)
            return await look(*about, **more)

        monkeypatch.setattr(walking, "walk", busy)
        admin(settings, EARLIER, database=database)
        await recover(INTAKE, settings)
    async with running(INTAKE) as run:
        [event] = await restores(run, "intake")
        assert (event.head, event.imported, event.epoch) == (60, 0, 2)
