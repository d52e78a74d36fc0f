"""What a process still does whose store was replaced: no reader takes it, and no start fails by it."""

from __future__ import annotations

import ast
import asyncio
import re
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError
from caretrail_contracts.intake import ReferralReceived

from chassis import effects
from chassis.config import Settings
from chassis.database import arrays, query
from chassis.group import ANOTHER
from chassis.postgres import KEEP
from chassis.relay import MOVE_MARK, Relay, outgoing
from chassis.service import Effect
from operations import opening, restoring, standing, walking
from operations.restoring import Behind
from tests.architecture.source import ROOT, modules, tree
from tests.chassis.forging import body, forger, headers, patient_of
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_restoring import EARLIER, admin, keep, log_of, process, set_back
from tests.operations.test_topics import refer, state
from tests.running import Running

pytestmark = pytest.mark.servers

LATE = patient_of(2)


class Frozen:
    """A relay that read what it is to send, and sleeps before it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.relay: Any = None
        self.asleep, self.wakes, self.sent = asyncio.Event(), asyncio.Event(), asyncio.Event()
        take = Relay.take

        async def sleeps(relay: Relay, found: Any) -> int:
            if relay is not self.relay:
                return await take(relay, found)
            self.asleep.set()
            await asyncio.shield(self.wakes.wait())
            try:
                return await take(relay, found)
            finally:
                self.sent.set()

        monkeypatch.setattr(Relay, "take", sleeps)

    async def goes_on(self, *_: Any) -> None:
        """Let it wake and send."""
        self.wakes.set()
        async with asyncio.timeout(20):
            await self.sent.wait()


async def counted(run: Running) -> list[int]:
    rows = await run.runtime("scheduling").ground.database.rows(
        f"select received from counts where patient = '{LATE}'"
    )
    return [row["received"] for row in rows]


@pytest.mark.parametrize("when", ["before the epoch is opened", "behind its opening"])
async def test_what_a_frozen_relay_sends_is_in_the_store_or_no_reader_takes_it(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Sent again, the command has its effect once either way."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 5)
        await run.settle()
        monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", run.runtime("intake").ground.database.url)
    keep(settings, "intake")
    frozen, opens, key = Frozen(monkeypatch), opening.send, uuid4().hex
    async with running(SCHEDULING) as run, AsyncExitStack() as stack:
        ended = asyncio.Event()
        await stack.enter_async_context(process(run, ended.set))
        frozen.relay = next(part for part in run.runtime("intake").parts if isinstance(part, Relay))
        asked = {"patient": str(LATE)}
        first = await run.post("intake", "/referrals", asked, key=key)
        async with asyncio.timeout(20):
            await frozen.asleep.wait()
            set_back(settings, "intake")
            await ended.wait()

        async def held(*about: Any) -> None:
            if when == "before the epoch is opened":
                await frozen.goes_on()
            await opens(*about)

        monkeypatch.setattr(restoring, "send", held)
        async with process(run, lambda: None):
            await frozen.goes_on()
            again = await run.post("intake", "/referrals", asked, key=key)
            there = [one.envelope for one in await log_of(run, "intake") if one.envelope.patient == LATE]
            if when == "before the epoch is opened":
                assert again.json() == first.json() | {"repeated": True}
                assert [(one.epoch, one.position) for one in there] == [(1, 6)]
            else:
                assert (again.status_code, again.json()["repeated"]) == (201, False)
                assert [one.epoch for one in there] == [2]
            await refer(run, 5)
            await run.settle()
            assert await counted(run) == [1]
            assert (await state(run))["state"] == "whole"
    async with process(run, lambda: None):
        pass


async def test_a_late_record_of_an_epoch_that_was_not_opened_keeps_no_service_from_starting(
    running: Run, settings: Settings
) -> None:
    """As the release before began them; the topic's state tells of it."""
    async with running(INTAKE) as run:
        await refer(run, 12)
        await run.settle()
        source = run.runtime("intake").origin.source.encode()
        [row] = await run.runtime("intake").ground.database.rows(
            "select coalesce(max(position) filter (where partition = 3), 0) as prev from events"
        )
    admin(settings, "update origin set epoch = 2", database=f"{settings.database_prefix}_intake")
    async with running(INTAKE) as run, forger(run) as send:
        claims: dict[str, bytes | None] = {
            "source": source,
            "prev": str(row["prev"]).encode() if row["prev"] else None,
        }
        someone = patient_of(3)
        await send(3, str(someone), headers(someone, 900, **claims), body(someone))
        assert (await state(run))["state"] == "late"
        answer = await run.clients["intake"].post("/internal/topic/republish")
        assert answer.status_code < 500
    async with running(INTAKE) as run:
        assert (await run.post("intake", "/referrals", {"patient": str(UUID(int=1))})).status_code == 201


async def test_a_first_start_waits_for_kafka(running: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nothing would tell later that the database became another."""

    async def away(*_: Any) -> Any:
        raise KafkaConnectionError

    monkeypatch.setattr(walking, "tails", away)
    with pytest.raises(Behind):
        async with running(INTAKE):
            pass


async def test_nothing_that_is_written_past_the_log_lands_on_another_store(
    running: Run, settings: Settings
) -> None:
    """Snapshots, effects, marks and positions: a lost connection may have been replaced by one to it."""
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 1)
        await run.settle()
        ground = run.runtime("intake").ground
        database, epoch = ground.database, ground.store.appender.epoch
        [event] = await database.rows(
            "select partition, id, stream, stream_version from events where patient is not null"
        )
        await database.rows("insert into effect_starts values ('mail', 0) returning effect")
        admin(
            settings,
            EARLIER,
            "update effect_marks set epoch = 0, position = 0",
            database=f"{settings.database_prefix}_intake",
        )
        writes: list[tuple[Any, ...]] = [
            (KEEP, ["s"], ["f"], [1], [b"{}"], epoch),
            (effects.WRITES, "mail", epoch),
            (effects.KEEP, "mail", event["id"], epoch),
            (effects.MOVE, *arrays([(*event.values(), 7)]), epoch),
            (MOVE_MARK, ground.topic, 1, 1, epoch),
            (query("begin"), ["t"], [0], ["s"], [1], [1], [1], ground.member),
        ]
        for statement, *about in writes:
            with pytest.raises(psycopg.OperationalError) as refused:
                await database.rows(statement, *about)
            assert refused.value.sqlstate == ANOTHER
        async with database.connection() as connection:
            with pytest.raises(psycopg.OperationalError):
                await outgoing(connection, 0, ground.topic, epoch, 1)
        for table in ("snapshots", "effects_done"):
            assert await database.rows(f"select * from {table}") == []


WITHIN = (
    *("insert into parked", "insert into timers", "delete from timers"),
    *("delete from {}", "insert into {}"),
)
"""Statements within transactions that also append or move positions, and so stand; or that park a record,
which is looked at again before anything is done with it."""

AT_STARTS = "insert into origin", "insert into projections", "insert into effect_starts"
"""Of a process that has just compared its store, and acknowledges nothing yet."""

HARMLESS = ("update positions",)
"""Where a record lies in the topic, of a reader that stands at that very record."""


def test_every_statement_of_the_chassis_that_writes_stands_or_says_why_not() -> None:
    texts = [path.read_text() for path in (ROOT / "chassis" / "sql").glob("*.sql")]
    for path in modules("chassis"):
        constants = [node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)]
        texts += [one.decode("latin-1") if isinstance(one, bytes) else str(one) for one in constants]
    found = set[str]()
    for text in texts:
        plain = re.sub(r"--.*", "", text)
        writes = re.search(r"^\s*((insert into|delete from|update(?! set)) [a-z_{}]+)", plain, re.MULTILINE)
        if writes and not re.search(r"\b(stand|fence)\(", plain):
            found.add(writes[1])
    assert found == {*WITHIN, *AT_STARTS, *HARMLESS}


async def test_an_effect_of_a_record_that_came_late_is_not_done(running: Run) -> None:
    """The store that was replaced had the event; this one has not, and nothing came of it."""

    async def act(*_: Any) -> None:
        raise AssertionError

    async with running(INTAKE) as run:
        await refer(run, 1)
        ground, effect = run.runtime("intake").ground, Effect("send", ReferralReceived, act)
        [record] = await log_of(run, "intake")
        late = record._replace(envelope=record.envelope._replace(id=uuid4()))
        looks = [await effects.Effects(ground).stands(effect, one) for one in (record, late)]
        assert [look["done"] for look in looks] == [False, True]
        with pytest.raises(psycopg.OperationalError, match="has not begun"):  # as in a copy of before it
            await effects.Effects(ground).act(effect, record, [])


class Silent:
    """A way to the database that keeps its connections, and says nothing more on those that there are."""

    def __init__(self, socket: str) -> None:
        self._socket, self._tasks = socket, set[asyncio.Task[Any]]()
        self._writers = list[asyncio.StreamWriter]()
        self._age = 0

    async def serve(self) -> int:
        """The port where it listens."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def vanish(self) -> None:
        """From now on the connections that there are are silent."""
        self._age += 1

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        age, (there, to) = self._age, await asyncio.open_unix_connection(self._socket)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while (data := await source.read(65_536)) and age == self._age:
                sink.write(data)
            if age == self._age:
                sink.close()

        self._writers.append(writer)
        self._tasks |= {asyncio.create_task(pump(reader, to)), asyncio.create_task(pump(there, writer))}

    def close(self) -> None:
        """Let go of all."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()


async def test_a_primary_that_vanishes_without_a_word_ends_its_processes(
    running: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name leads to the promoted standby, while the connections that there are say nothing any more."""
    monkeypatch.setattr(standing, "HANG_S", 0.5)
    async with running(INTAKE) as run:
        url = run.runtime("intake").ground.database.url
    about = psycopg.conninfo.conninfo_to_dict(url)
    way = Silent(f"{about['host']}/.s.PGSQL.{about.get('port', 5432)}")
    there = psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=await way.serve(), sslmode="disable")
    monkeypatch.setenv("CARETRAIL_INTAKE_DATABASE_URL", there)
    async with running(SCHEDULING) as run:
        ended = asyncio.Event()
        async with process(run, ended.set):
            way.vanish()
            admin(settings, EARLIER, database=f"{settings.database_prefix}_intake")
            async with asyncio.timeout(30):
                await ended.wait()
            way.close()
