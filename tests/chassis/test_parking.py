"""What is parked, how the feed goes on beside it, and what the log says of it: on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ReferralReceived
from caretrail_contracts.scheduling import EnrollmentRejected

from chassis.applying import CONFLICTS_MAX, Parking
from chassis.batch import Batch
from chassis.command import Command, Commit, Handlers, Work
from chassis.config import Settings
from chassis.policy import Policies, Reaction
from chassis.projection import Change
from chassis.refusal import Conflict
from chassis.service import Service
from chassis.telemetry import RECORDS_PARKED
from services.audit.app import service as audit
from services.audit.projections import Ledger
from tests.chassis import toy
from tests.chassis.test_engine import counts, types
from tests.conftest import Run
from tests.operations.test_restoring import admin

pytestmark = pytest.mark.servers


class Fussy(Ledger):
    """A ledger that cannot keep referrals while poison is poison."""

    def keep(self, record: Record) -> Iterable[Change]:
        if record.envelope.type.endswith("ReferralReceived") and toy.Faults.on:
            raise ValueError
        return super().keep(record)


AUDIT = replace(audit, archives=(Fussy(),))


async def test_that_an_archive_parked_a_record_does_not_wait_behind_it(running: Run) -> None:
    async with running(toy.INTAKE, AUDIT) as run:
        patient = str(uuid4())
        await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        database = run.runtime("audit").ground.database
        [parked] = await database.rows("select * from parked")
        assert (parked["handler"], parked["key"]) == ("Fussy", patient)
        [kept] = await database.rows("select * from ledger")
        assert kept["type"] == "caretrail.system.RecordParked"
        assert kept["patient"] is None


async def test_positions_that_a_store_gave_again_are_parked_beside_those_of_before(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        await run.post("intake", "/referrals", {"patient": str(uuid4())})
        ground = run.runtime("intake").ground
        [before] = await ground.store.read(0, 1)
        again = before._replace(envelope=before.envelope._replace(epoch=2, id=uuid4()))
        parking, now = Parking(ground.service), ground.clock.now()
        async with ground.database.transaction() as connection:
            for record in (before, again, again):
                await parking.queue(connection, "Fussy", record, "Broken", now)
        rows = await ground.database.rows("select * from parked order by id")
        assert [(row["epoch"], row["event_id"], row["attempts"]) for row in rows] == [
            (1, before.envelope.id, 1),
            (2, again.envelope.id, 2),
        ]


async def test_what_is_overtaken_however_often_parks_nothing(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    patients = [str(uuid4()) for _ in range(3)]
    decide, times, enough = Handlers.decide, 0, 3 * CONFLICTS_MAX

    async def overtaken(handlers: Handlers, command: Command, work: Work) -> Commit:
        nonlocal times
        commit = await decide(handlers, command, work)
        if isinstance(command, toy.Reject) and str(command.patient) == patients[0] and times < enough:
            times += 1
            return commit._replace(expected={**commit.expected, f"seat-{uuid4()}": 7})
        return commit

    monkeypatch.setattr(Handlers, "decide", overtaken)
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        for patient in patients:
            await run.post("intake", "/referrals", {"patient": patient})
        await run.settle()
        assert times == enough
        assert await run.runtime("scheduling").ground.database.rows("select * from parked") == []
        assert await types(run, "scheduling") == ["EnrollmentRejected"] * 3
        assert await counts(run) == dict.fromkeys(patients, (1, 0))


async def test_a_record_counts_as_parked_once_however_often_that_is_overtaken(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, times = Batch.finish, 0

    async def overtaken(batch: Batch) -> None:
        nonlocal times
        await finish(batch)
        streams = [stream for commit in batch.staged for stream in commit.streams]
        if times < 3 and any(stream.startswith("parked") for stream in streams):
            times += 1
            raise Conflict

    monkeypatch.setattr(Batch, "finish", overtaken)
    counted: Any = RECORDS_PARKED.labels("Counts")._value
    before = counted.get()
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        await run.post("intake", "/referrals", {"patient": str(uuid4()), "urgency": toy.POISON})
        await run.settle()
        [parked] = await run.runtime("scheduling").ground.database.rows("select * from parked")
        assert parked["handler"] == "Counts"
    assert (times, counted.get() - before) == (3, 1)


BESIDE, REACTING = Handlers(), Policies()


@BESIDE.handles(toy.Reject)
async def reject(command: toy.Reject, work: Work) -> None:
    await work.rows("counts", patient=command.patient)
    fact = EnrollmentRejected(patient=command.patient, episode=command.referral, track="toy", reason="toy")
    work.add(toy.Seat.start(command.referral, fact, work.now))


@REACTING.on(ReferralReceived)
def reject_all(event: ReferralReceived, about: Envelope) -> Iterable[Reaction]:
    yield toy.Reject(referral=event.referral, patient=event.patient)


async def test_another_releases_column_parks_nothing(running: Run, settings: Settings) -> None:
    """A process that starts beside this one adds what its read model has more; plans here are then stale."""
    scheduling = Service("scheduling", BESIDE, REACTING, projections=(toy.Counts(),))
    async with running(toy.INTAKE, scheduling) as run:

        async def refer(times: int) -> None:
            for _ in range(times):
                await run.post("intake", "/referrals", {"patient": str(uuid4())})

        database = run.runtime("scheduling").ground.database
        prepared = "select 1 from pg_prepared_statements where statement like 'select * from \"counts\"%%'"
        async with asyncio.timeout(20):
            while not await database.rows(prepared):
                await refer(20)
        name, altering = f"{settings.database_prefix}_scheduling", "alter table counts add column more text"
        await asyncio.to_thread(admin, settings, altering, database=name)
        await refer(20)
        await run.settle()
        assert await database.rows("select * from parked") == []
