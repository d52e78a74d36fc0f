"""What is parked, how the feed goes on beside it, and what the log says of it: on real servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import uuid4

import pytest
from caretrail_contracts.cloudevents import Record

from chassis.applying import Parking
from chassis.projection import Change
from services.audit.app import service as audit
from services.audit.projections import Ledger
from tests.chassis import toy
from tests.conftest import Run

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
