"""A primary that was cut off learns from the topic that another database took over: it ends, and stays so."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiokafka.structs import RecordMetadata
from caretrail_contracts.cloudevents import to_headers
from structlog.testing import capture_logs

from chassis.config import Settings
from chassis.kafka import producer
from operations import opening, restoring, walking
from operations.restoring import Behind, recover
from operations.succession import Succession
from operations.topics import Ends
from tests.chassis.forging import body, forger, headers, patient_of
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_opening import assert_all_have_all, promoted
from tests.operations.test_restoring import admin, keep, process
from tests.operations.test_topics import delete, refer, republish
from tests.running import Running

pytestmark = pytest.mark.servers


async def opened(run: Running, epoch: int) -> None:
    """Another database's process opens an epoch in intake's topic."""
    sender = await producer(run.settings.kafka_bootstrap)
    for record in opening.opening("intake", run.settings, epoch, head=5):
        about, said = record.envelope, to_headers(record.envelope, record.prev)
        topic = run.runtime("intake").ground.topic
        await sender.send_and_wait(topic, record.body, about.key.encode(), about.partition, headers=said)
    await sender.stop()


async def asked(run: Running) -> int:
    """The answer to one more referral."""
    return (await run.post("intake", "/referrals", {"patient": str(uuid4())})).status_code


def look_of(run: Running) -> Succession:
    [found] = [part for part in run.runtime("intake").parts if isinstance(part, Succession)]
    return found


async def looked(run: Running) -> None:
    """All that was asked for was looked at."""
    async with asyncio.timeout(20):
        while look_of(run)._open:
            await asyncio.sleep(0.02)


async def ends(run: Running, ended: asyncio.Event) -> None:
    """Referrals are sent until the process ends."""
    async with asyncio.timeout(20):
        while not ended.is_set():
            await asked(run)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("commits", [True, False], ids=["it serves on", "it broke off"])
async def test_a_primary_that_was_cut_off_ends_and_does_not_serve_again(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, commits: bool
) -> None:
    """A standby opened an epoch in the topic; the old processes reach the old database alone."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await run.settle()
        own = run.runtime("intake").ground.database.url
    monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", own)
    keep(settings, "intake")
    name = f"{settings.database_prefix}_intake"
    admin(settings, f'grant connect on database "{name}_kept" to "{name}"')
    async with running(SCHEDULING) as run:
        ended, other = asyncio.Event(), asyncio.Event()
        with capture_logs() as said:
            async with process(run, other.set), process(run, ended.set):
                with monkeypatch.context() as patch:
                    standby = psycopg.conninfo.make_conninfo(own, dbname=f"{name}_kept")
                    patch.setenv("CARETRAIL_INTAKE_DATABASE_URL", standby)
                    if commits:
                        await recover(INTAKE, settings)
                    else:
                        patch.setattr(restoring, "MARK", b"select killed_before_the_commit(%s, %s)")
                        with pytest.raises(psycopg.errors.UndefinedFunction):
                            await recover(INTAKE, settings)
                await ends(run, ended)
                assert await asked(run) == 503
                async with asyncio.timeout(5):
                    await other.wait()
        told = [one["event"] for one in said if one["log_level"] == "error"]
        assert told.count("epoch_is_over") == 1
        with pytest.raises(Behind, match="later epoch"):
            async with process(run, lambda: None):
                pass


async def fenced(run: Running, monkeypatch: pytest.MonkeyPatch, referrals: int) -> None:
    """Sends behind another one's opening, and is killed before it finds out."""
    await refer(run, 5)
    await run.settle()
    await opened(run, 2)
    with monkeypatch.context() as patch:
        patch.setattr(Succession, "_ask", lambda *_: None)
        await refer(run, referrals)
        async with asyncio.timeout(20):
            while (now := await run.apps["intake"].state.progress.now())["relayed"] < now["head"]:
                await asyncio.sleep(0.02)


async def test_no_process_starts_where_another_epoch_was_opened(running: Run) -> None:
    async with running(INTAKE) as run:
        await refer(run, 5)
        await run.settle()
        await opened(run, 2)
    with pytest.raises(Behind, match="later epoch"):
        async with running(INTAKE):
            pass


async def test_who_was_killed_before_it_found_out_does_by_its_next_batch(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(INTAKE) as run:
        await fenced(run, monkeypatch, 200)
        monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", run.runtime("intake").ground.database.url)
    async with running(SCHEDULING) as run:
        ended = asyncio.Event()
        async with process(run, ended.set):
            await ends(run, ended)


async def test_what_others_write_ends_no_process(running: Run) -> None:
    """Other cells, and who claims a later epoch that no reader takes."""
    someone = patient_of(3)
    async with running(INTAKE, SCHEDULING) as run, forger(run) as send:
        await refer(run, 60)
        await run.settle()
        source = run.runtime("intake").origin.source.encode()
        claims: list[dict[str, bytes | None]] = [
            {"epoch": b"7"},  # another cell, whose record readers take
            {"epoch": b"7", "source": source, "partition": b"4"},
            {"epoch": b"7", "source": source, "position": b"-1"},
            {"epoch": b"seven", "source": source},
        ]
        for claim in claims:
            await send(3, str(someone), headers(someone, 90_000, **claim), body(someone))
        await refer(run, 60)
        await run.settle()
        await looked(run)
        assert look_of(run).fault is None
        await refer(run, 60)
        await assert_applied(run, 180 + 1)


async def test_a_later_epoch_that_no_reader_comes_to_ends_no_process(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It follows a record that is not there: to readers it is a gap."""
    someone = patient_of(3)
    async with running(INTAKE) as run, forger(run) as send:
        await refer(run, 60)
        await run.settle()
        claim: dict[str, bytes | None] = {
            "epoch": b"7",
            "source": run.runtime("intake").origin.source.encode(),
            "prev": b"89999",
        }
        await send(3, str(someone), headers(someone, 90_000, **claim), body(someone))
        walk, walked = walking.walk, asyncio.Event()

        async def seen(*about: Any, **more: Any) -> Any:
            walked.set()
            return await walk(*about, **more)

        monkeypatch.setattr(walking, "walk", seen)
        await refer(run, 60)
        await run.settle()
        await looked(run)
        assert walked.is_set()
        await refer(run, 5)
        await run.settle()
    async with running(INTAKE) as run:
        assert await asked(run) == 201


def acknowledged(offset: int) -> RecordMetadata:
    """What a producer says of a batch for partition 3."""
    return RecordMetadata("t", 3, None, offset, None, 0, 0)


class Batch:
    """Five records."""

    @staticmethod
    def record_count() -> int:
        return 5


@pytest.mark.parametrize(
    ("offsets", "asks"),
    [
        ([7_000, 7_005], Ends(6_500, 7_000)),
        ([0, 5, 10], None),
        ([0, 5, 12], Ends(10, 12)),
        ([0, 5, 12, 30], Ends(10, 30)),
        ([0, 5, 9_000], Ends(8_500, 9_000)),
        ([0, 5, -1, 15], Ends(0, 15)),
        ([0, 5, 3], Ends(0, 3)),
        ([0, 5, 0, 5], None),
    ],
    ids=["first", "alone", "others", "twice", "many", "had already", "shorter", "anew"],
)
def test_what_stands_before_a_batch_is_looked_at_where_it_does_not_follow_the_last_one(
    offsets: list[int], asks: Ends | None
) -> None:
    look: Any = Succession(None, lambda: None)  # type: ignore[arg-type]
    for offset in offsets:
        look.sent([(3, Batch())], [acknowledged(offset)])
    assert look._open == ({3: asks} if asks else {})


async def assert_applied(run: Running, referrals: int) -> None:
    await run.settle()
    [row] = await run.runtime("scheduling").ground.database.rows("select sum(received)::int as n from counts")
    assert row["n"] == referrals


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "sent again"])
async def test_a_topic_that_is_sent_again_ends_no_process(running: Run, gone: bool) -> None:
    """Also where it was restored before, and the store opened epochs of its own."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 60)
        await run.settle()
    promoted(run.settings)
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 60)
        await run.settle()
        ground = run.runtime("intake").ground
        if gone:
            await asyncio.to_thread(delete, run, ground.topic)
            await refer(run, 20)
            await republish(run)
        else:
            await ground.database.rows("update relay_mark set position = 0 returning position")
            await refer(run, 20)
        await run.settle()
        await looked(run)
        await refer(run, 5)
        assert ground.store.appender.epoch == 2
        if gone:
            await assert_all_have_all(run, 145)
        await assert_applied(run, 145)


async def test_a_store_whose_epoch_is_over_can_be_told_to_go_on(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took behind the opening is on record there, and no reader has it."""
    async with running(INTAKE) as run:
        await fenced(run, monkeypatch, 60)
    admin(settings, GO_ON, database=f"{settings.database_prefix}_intake")
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 7)
        assert run.runtime("intake").ground.store.appender.epoch == 3
        await assert_applied(run, 5 + 7)


GO_ON = "update place set server = ''"
