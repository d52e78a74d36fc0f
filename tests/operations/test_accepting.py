"""A difference that a person accepts is swapped in, of one run alone and on record: on real servers."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from caretrail_contracts.envelope import Actor
from caretrail_contracts.sealed import FreeText
from caretrail_contracts.system import DifferenceAccepted

from chassis.config import database_url
from operations.accepting import accepted
from operations.filling import Filling, Site
from operations.parked import Person
from operations.processes import Failed
from operations.rebuilding import Rebuild, exclusive
from operations.shadows import SHADOW
from tests.chassis.toy import INTAKE, SCHEDULING
from tests.conftest import Run
from tests.operations.test_parked import events
from tests.operations.test_rebuilding import ENDED_MAX_S, ask, hand, outcome, refer, rows
from tests.running import Running

pytestmark = pytest.mark.servers

PATH = "/internal/projections/Counts"
SERVED = "select * from counts order by patient"
WHY = "rows were written by hand"


async def accept(run: Running) -> str:
    """Ask for a rebuild whose difference is accepted; gives its run."""
    answer = await run.post("scheduling", f"{PATH}/accept-difference", {"reason": WHY})
    assert answer.status_code == 202, answer.text
    told = answer.json()["accepted"]
    assert told in (None, {"by": "staff-1", "role": "coordinator", "purpose": "TREAT"}), "null at its end"
    return str(answer.json()["run"])


async def damage(run: Running) -> list[dict[str, Any]]:
    """Change a row by hand, remove one, write one; gives what serves then."""
    await hand(run, f"update counts set accepted = 7 where patient = '{UUID(int=1)}'")
    await hand(run, f"delete from counts where patient = '{UUID(int=2)}'")
    await hand(run, f"insert into counts (patient, received) values ('{UUID(int=99)}', 3)")
    return await rows(run, SERVED)


async def test_what_a_hand_damaged_is_replaced_on_record_and_serves_on(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 40, patients=20)
        await run.settle()
        right = await rows(run, SERVED)
        damaged = await damage(run)
        assert (await ask(run, "rebuild"))["outcome"] == "different"
        assert await rows(run, SERVED) == damaged, "without the acceptance nothing is swapped"
        id = await accept(run)
        found = await outcome(run)
        assert (found["outcome"], found["against"], len(found["differences"])) == ("swapped", "public", 3)
        assert found["accepted"] == {"by": "staff-1", "role": "coordinator", "purpose": "TREAT"}
        assert await rows(run, SERVED) == right
        await assert_on_record(run, id, found)
        await refer(run, 20, patients=20)
        await run.settle()
        served = await rows(run, SERVED)
        assert [each["received"] for each in served] == [3] * 20
        assert (await ask(run, "verify"))["outcome"] == "equal"

        await accept(run)
        found = await outcome(run)
        assert (found["outcome"], "accepted" in found) == ("swapped", False), "there was nothing to accept"
        await damage(run)
        assert (await ask(run, "rebuild"))["outcome"] == "different", "the next one inherits nothing"
        await hand(run, "update positions set position = position + 1000 where topic <> 'store'")
        damaged = await rows(run, SERVED)
        await accept(run)
        found = await outcome(run)
        assert (found["outcome"], "ends before what was applied" in found["why"]) == ("failed", True)
        assert await rows(run, SERVED) == damaged, "half a history replaces nothing"
        assert len(await events(run, DifferenceAccepted)) == 1


async def assert_on_record(run: Running, id: str, found: dict[str, Any]) -> None:
    """What an auditor finds: who, why, both checksums, what explains the rows, and nobody's values."""
    [(event, about)] = await events(run, DifferenceAccepted)
    assert (about.actor, about.purpose, about.patient) == (Actor("staff-1", "coordinator"), "TREAT", None)
    assert (event.projection, event.projection_version, str(event.run)) == ("Counts", 1, id)
    [table] = event.tables
    assert (table.served_checksum, table.folded_checksum) == (
        found["others"]["counts"]["checksum"],
        found["tables"]["counts"]["checksum"],
    )
    assert (table.served_rows, table.folded_rows) == (20, 20)
    assert [(row.missing, row.columns, row.event is None) for row in event.rows] == [
        (each["missing"], tuple(each["columns"]), each["event"] is None) for each in found["differences"]
    ]
    assert {row.missing for row in event.rows} == {None, "live", "shadow"}
    body = event.to_bytes().decode()
    assert not [number for number in (1, 2, 99) if str(UUID(int=number)) in body]
    assert "hand" not in body
    assert await run.runtime("scheduling").ground.doors.open(event.reason) == FreeText(WHY)


async def test_one_that_is_killed_before_its_swap_keeps_its_acceptance_and_proof(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def never(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr("operations.shadows.swap", never)
        async with running(INTAKE, SCHEDULING) as run:
            await refer(run, 40, patients=20)
            await run.settle()
            right = await rows(run, SERVED)
            damaged = await damage(run)
            id = await accept(run)
            async with asyncio.timeout(ENDED_MAX_S):
                await reached.wait()
            assert await rows(run, SERVED) == damaged, "it serves until the swap"
    async with running(INTAKE, SCHEDULING) as run:
        found = await outcome(run)
        assert (found["outcome"], found.get("accepted", {}).get("by")) == ("swapped", "staff-1"), found
        assert (await run.clients["scheduling"].get(PATH)).json()["run"] == id
        assert await rows(run, SERVED) == right
        assert [str(event.run) for event, _ in await events(run, DifferenceAccepted)] == [id]


async def test_an_acceptance_is_of_one_run_and_of_a_fold_that_stands_where_the_service_does(
    running: Run,
) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 10)
        await run.settle()
        ground, (counts,) = run.runtime("scheduling").ground, SCHEDULING.projections
        site = Site(SCHEDULING, run.settings, database_url(run.settings, SCHEDULING.name))
        acceptance = await accepted(ground, WHY, Person(Actor("ana", "operator"), "HOPERAT"))
        async with exclusive(site, counts) as connection:

            async def planned(*what: Any, **how: Any) -> tuple[str, str | None]:
                await Rebuild(site, counts, connection, ground).plan("rebuild", 1, *what, **how)
                [row] = await rows(run, "select run, accepted ->> 'by' as by from rebuilds")
                return str(row["run"]), row["by"]

            first = await planned(acceptance)
            assert first[1] == "ana"
            assert await planned(resumes=True) == first
            second = await planned()
            assert (second[0] == first[0], second[1]) == (False, None), "nobody who asks anew inherits it"
            assert await planned() == second
            third = await planned(acceptance)
            assert (third[0] == second[0], third[1]) == (False, "ana"), "nor is it of one begun without it"

            filling = Filling(site, counts, connection)
            filling.run = third[0]
            await filling.fold(SHADOW, await filling.vector())
            async with filling.still():
                pass
            await hand(run, "update positions set position = position - 1 where topic <> 'store'")
            with pytest.raises(Failed, match="is applied: run it again"):
                async with filling.still():
                    pass


REFUSED: tuple[tuple[str, dict[str, Any], dict[str, str], int], ...] = (
    (f"{PATH}/accept-difference", {}, {}, 422),
    (f"{PATH}/accept-difference", {"reason": " "}, {}, 422),
    (f"{PATH}/accept-difference", {"reason": WHY}, {"Caretrail-Actor": ""}, 400),
    ("/internal/projections/Nothing/accept-difference", {"reason": WHY}, {}, 404),
    (PATH, {"action": "rebuild", "reason": WHY}, {}, 422),
)


async def test_without_a_reason_a_name_or_somebody_who_accepts_nothing_begins(running: Run) -> None:
    async with running(SCHEDULING) as run:
        for path, body, sent, status in REFUSED:
            answer = await run.post("scheduling", path, body, **sent)
            assert answer.status_code == status, (path, body, answer.text)
        assert await rows(run, "select * from rebuilds") == []
