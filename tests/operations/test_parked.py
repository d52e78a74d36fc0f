"""Parked records are listed, looked at, redriven in their order and discarded: on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from caretrail_contracts.envelope import Envelope, topic_of
from caretrail_contracts.intake import ReferralReceived
from caretrail_contracts.system import RecordDiscarded, RecordParked, RecordRedriven

from chassis import effects
from chassis.office import AdapterOffice
from chassis.service import Effect, Service
from operations import parked, redriving
from operations.parked import still
from tests.chassis.test_parking import AUDIT
from tests.chassis.toy import INTAKE, POISON, SCHEDULING, Faults
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def poison() -> Iterator[None]:
    """Poison is poison when a test begins."""
    Faults.on = True
    yield
    Faults.on = True


async def refer(run: Running, patient: str, *urgencies: str) -> None:
    for urgency in urgencies:
        answer = await run.post("intake", "/referrals", {"patient": patient, "urgency": urgency})
        assert answer.status_code == 201, answer.text


async def listed(run: Running, service: str = "scheduling") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await run.get(service, "/internal/parked")).json()["parked"]
    return found


async def received(run: Running, patient: str) -> int:
    rows = await run.runtime("scheduling").ground.database.rows(
        "select received from counts where patient = %s", patient
    )
    return int(rows[0]["received"]) if rows else 0


async def events(run: Running, kind: type[Any], service: str = "scheduling") -> list[tuple[Any, Any]]:
    """The events of a type in a service's store, each with its envelope."""
    records = await run.runtime(service).ground.store.read(0, 5_000)
    return [(record.decode(), record.envelope) for record in records if record.envelope.type == kind.type()]


async def redrive(run: Running, id: int, service: str = "scheduling") -> dict[str, Any]:
    answer = await run.post(service, f"/internal/parked/{id}/redrive")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_list_says_what_is_parked_and_how_many_wait(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", "routine", "routine")
        await refer(run, str(uuid4()), "routine")
        await run.settle()
        [found] = await listed(run)
        assert (found["service"], found["handler"], found["key"]) == ("scheduling", "Counts", sick)
        assert (found["error"], found["attempts"], found["waiting"]) == ("KeyError", 1, 2)
        assert found["event"]["type"] == "caretrail.intake.ReferralReceived"
        assert found["event"]["position"] == 1
        assert found["event"]["topic"] == topic_of("intake", run.settings.topic_prefix)
        names = (await run.get("scheduling", "/internal/parked")).json()["handlers"]
        assert "Counts" in names


async def test_a_look_shows_headers_and_body_and_is_on_record(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat")
        await run.settle()
        [found] = await listed(run)
        path = f"/internal/parked/{found['id']}"
        assert (await run.clients["scheduling"].get(path)).status_code == 400, "nobody looks without a name"
        shown = (await run.get("scheduling", path)).json()
        assert shown["body"]["urgency"] == "stat"
        assert shown["headers"]["ce_patient"] == sick
        assert shown["unreadable"] is None
        kinds = [record.envelope.type for record in await run.runtime("scheduling").ground.store.read(0, 99)]
        assert "caretrail.system.AccessRecorded" in kinds


async def test_a_redrive_applies_the_first_and_what_waits_behind_it_once(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", "routine", "stat", "routine")
        await run.settle()
        [found] = await listed(run)
        Faults.on = False
        assert await redrive(run, found["id"]) == {"applied": 4, "next": None, "waiting": 0, "error": None}
        await refer(run, sick, "routine")
        await run.settle()
        assert await received(run, sick) == 5
        assert await listed(run) == []
        [(event, about)] = await events(run, RecordRedriven)
        assert (event.handler, event.key, event.position) == ("Counts", sick, 1)
        assert (about.actor.id, about.purpose, about.patient) == ("staff-1", "TREAT", UUID(sick))
        again = await run.post("scheduling", f"/internal/parked/{found['id']}/redrive")
        assert (again.status_code, again.json()["title"]) == (404, "Not parked")


async def test_a_redrive_stops_at_the_first_that_fails_again(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", "routine", "routine")
        await run.settle()
        [found] = await listed(run)
        came = await redrive(run, found["id"])
        assert came == {"applied": 0, "next": found["id"], "waiting": 2, "error": "KeyError"}
        [again] = await listed(run)
        assert (again["attempts"], again["waiting"]) == (2, 2)
        database = run.runtime("scheduling").ground.database
        # The first is mended by a hand, the third broken by one: the third becomes the one that is parked.
        await database.rows("update parked set body = convert_to(replace(convert_from(body, 'UTF8'), "
                            "'stat', 'routine'), 'UTF8') where id = %s returning 1", found["id"])  # fmt: skip
        await database.rows(
            "update parked set body = '{}' where id = (select max(id) from parked) returning 1"
        )
        came = await redrive(run, found["id"])
        assert (came["applied"], came["waiting"]) == (2, 0)
        assert came["error"].startswith("ReferralReceived: ")
        assert await received(run, sick) == 2
        assert [event.position for event, _ in await events(run, RecordParked)] == [1, 3]


async def test_what_waits_behind_another_is_not_redriven_alone(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, str(uuid4()), "stat", "routine")
        await run.settle()
        [found] = await listed(run)
        for action, body in (("redrive", None), ("discard", {"reason": "it is not ours"})):
            path = f"/internal/parked/{found['id'] + 1}/{action}"
            refused = await run.post("scheduling", path, body)
            assert (refused.status_code, refused.json()["title"]) == (409, "Waits behind")
            assert str(found["id"]) in refused.json()["detail"]


async def test_many_that_wait_are_redriven_in_chunks_while_more_arrive(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redriving, "CHUNK", 7)
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", *["routine"] * 60)
        await run.settle()
        [found] = await listed(run)
        Faults.on = False
        loading = asyncio.create_task(refer(run, sick, *["routine"] * 40))
        left: dict[str, Any] = {"next": found["id"]}
        while left["next"]:
            left = await redrive(run, left["next"])
            assert left["error"] is None
        await loading
        await run.settle()
        while heads := await listed(run):
            await redrive(run, heads[0]["id"])
        assert await received(run, sick) == 101
        assert (await run.runtime("scheduling").ground.database.rows("select 1 from parked")) == []


async def test_a_record_that_comes_while_its_key_is_freed_is_applied_and_waits_for_nobody(
    running: Run,
) -> None:
    """The feed still remembers the key as parked; it waits for the redrive and then decides again."""
    async with running(INTAKE, SCHEDULING) as run:
        sick, ground = str(uuid4()), run.runtime("scheduling").ground
        await refer(run, sick, "stat")
        await run.settle()
        Faults.on = False
        async with still(ground) as connection:
            await refer(run, sick, "routine")
            await waited_for(ground, "positions")
            await connection.execute("delete from parked")
        await run.settle()
        assert await received(run, sick) == 1
        assert await listed(run) == []


async def waited_for(ground: Any, table: str) -> None:
    """Wait until somebody waits for a lock on a table."""
    here = "database = (select oid from pg_database where datname = current_database())"
    waits = f"select from pg_locks where not granted and relation = to_regclass(%s) and {here}"
    async with asyncio.timeout(10):
        while not await ground.database.rows(waits, table):
            await asyncio.sleep(0.02)


async def test_a_redrive_that_others_keep_out_is_told_so_and_not_that_the_database_is_away(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "LOCK_WAIT_MS", 50)
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, str(uuid4()), "stat")
        await run.settle()
        [found] = await listed(run)
        async with run.runtime("scheduling").ground.database.transaction() as held:
            await held.execute("lock table positions in share row exclusive mode")
            for step, body in (("redrive", None), ("discard", {"reason": "forged"})):
                answer = await run.post("scheduling", f"/internal/parked/{found['id']}/{step}", body)
                assert (answer.status_code, answer.json()["title"]) == (503, "Busy")
                assert "database is away" not in answer.text
        [again] = await listed(run)
        assert (again["id"], again["attempts"]) == (found["id"], 1), "it is not the record's fault"


async def test_a_discarded_record_is_never_applied_and_the_rest_waits_for_a_redrive(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", "routine")
        await run.settle()
        [found] = await listed(run)
        path = f"/internal/parked/{found['id']}/discard"
        assert (await run.post("scheduling", path, {"reason": " "})).status_code == 422
        answer = await run.post("scheduling", path, {"reason": "sent by a test of the hospital"})
        assert answer.json() == {"discarded": found["id"], "waiting": 1, "next": found["id"] + 1}
        assert await received(run, sick) == 0
        [next] = await listed(run)
        assert (next["id"], next["error"], next["attempts"]) == (found["id"] + 1, "waits", 0), "never tried"
        assert (await redrive(run, next["id"]))["applied"] == 1
        await run.settle()
        assert await received(run, sick) == 1
        [(event, about)] = await events(run, RecordDiscarded)
        assert (event.handler, event.position, event.error) == ("Counts", 1, "KeyError")
        assert "hospital" not in event.to_bytes().decode()
        assert (about.actor.id, about.purpose) == ("staff-1", "TREAT")
        assert (await run.post("scheduling", path, {"reason": "again"})).status_code == 404


async def test_a_rebuild_leaves_out_what_was_discarded(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", "routine")
        await run.settle()
        [found] = await listed(run)
        path = f"/internal/parked/{found['id']}/discard"
        next = (await run.post("scheduling", path, {"reason": "sent twice"})).json()["next"]
        await redrive(run, next)
        Faults.on = False
        client = run.clients["scheduling"]
        await client.post("/internal/projections/Counts", json={"action": "verify"})
        async with asyncio.timeout(30):
            while not (state := (await client.get("/internal/projections/Counts")).json())["ended_at"]:
                await asyncio.sleep(0.05)
        assert state["outcome"]["outcome"] == "equal", state


async def test_what_is_decided_about_an_archives_record_reaches_the_ledger(running: Run) -> None:
    async with running(INTAKE, AUDIT) as run:
        sick, lost = str(uuid4()), str(uuid4())
        await refer(run, sick, "routine", "routine")
        await refer(run, lost, "routine")
        await run.settle()
        by_key = {found["key"]: found["id"] for found in await listed(run, "audit")}
        path = f"/internal/parked/{by_key[lost]}/discard"
        assert (await run.post("audit", path, {"reason": "forged"})).status_code == 200
        Faults.on = False
        assert (await redrive(run, by_key[sick], "audit"))["applied"] == 2
        await run.settle()
        rows = await run.runtime("audit").ground.database.rows("select type, patient from ledger")
        kept = sorted(row["type"].rpartition(".")[2] for row in rows)
        decided = ["RecordDiscarded", "RecordParked", "RecordParked", "RecordRedriven"]
        assert kept == sorted([*decided, "ReferralReceived", "ReferralReceived"])


async def test_what_is_parked_stays_so_after_a_restart_and_is_redriven_then(running: Run) -> None:
    sick = str(uuid4())
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, sick, "stat")
        await run.settle()
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, sick, "routine")
        await run.settle()
        [found] = await listed(run)
        Faults.on = False
        assert (await redrive(run, found["id"]))["applied"] == 2
        assert await received(run, sick) == 2


async def test_two_who_redrive_one_key_at_once_apply_it_once(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat", "routine", "routine")
        await run.settle()
        [found] = await listed(run)
        Faults.on = False
        path = f"/internal/parked/{found['id']}/redrive"
        answers = await asyncio.gather(*(run.post("scheduling", path) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
        assert await received(run, sick) == 3


class Letters:
    """An effect that cannot do some letters while it is broken, and counts what it did."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.broken: Exception | None = ValueError("poison")
        self.tried = 0

    async def act(self, event: ReferralReceived, about: Envelope, office: AdapterOffice) -> None:
        self.tried += 1
        if event.urgency is POISON and self.broken:
            raise self.broken
        self.sent.append(str(event.patient))

    @property
    def service(self) -> Service:
        return replace(INTAKE, effects=(Effect("letter", ReferralReceived, self.act),))


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> Letters:
    monkeypatch.setattr(effects, "PAUSE_S", 0.01)
    return Letters()


async def test_an_effect_that_cannot_be_done_is_parked_and_all_others_are_done(
    running: Run, letters: Letters
) -> None:
    async with running(letters.service) as run:
        sick, well = str(uuid4()), str(uuid4())
        await refer(run, sick, "stat", "routine")
        await refer(run, well, "routine")
        await run.settle()
        assert letters.sent == [well]
        [found] = await listed(run, "intake")
        assert (found["handler"], found["key"], found["error"]) == ("letter", sick, "ValueError")
        assert (found["attempts"], found["waiting"]) == (1, 1)
        assert letters.tried == effects.ATTEMPTS_MAX + 1
        [(event, _)] = await events(run, RecordParked, "intake")
        assert (event.handler, event.position) == ("letter", 1)
        came = await redrive(run, found["id"], "intake")
        assert (came["applied"], came["next"], came["error"]) == (0, found["id"], "ValueError")
        letters.broken = None
        assert (await redrive(run, found["id"], "intake"))["applied"] == 2
        await refer(run, sick, "routine")
        await run.settle()
        assert letters.sent == [well, sick, sick, sick]
        assert len(await events(run, RecordRedriven, "intake")) == 1


async def test_an_effect_whose_surroundings_fail_is_never_parked(running: Run, letters: Letters) -> None:
    letters.broken = ConnectionRefusedError()
    async with running(letters.service) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat")
        async with asyncio.timeout(20):
            while letters.tried < effects.ATTEMPTS_MAX + 3:
                await asyncio.sleep(0.02)
        assert await listed(run, "intake") == []
        letters.broken = None
        await run.settle()
        assert letters.sent == [sick]


async def test_an_effect_that_was_discarded_is_not_done_when_its_record_comes_again(
    running: Run, letters: Letters
) -> None:
    async with running(letters.service) as run:
        sick = str(uuid4())
        await refer(run, sick, "stat")
        await run.settle()
        [found] = await listed(run, "intake")
        path = f"/internal/parked/{found['id']}/discard"
        assert (await run.post("intake", path, {"reason": "the address is none"})).status_code == 200
        letters.broken = None
        database = run.runtime("intake").ground.database
        await database.rows("update relay_mark set position = 0 returning 1")
    async with running(letters.service) as run:
        await refer(run, sick, "routine")
        await run.settle()
        assert letters.sent == [sick]
