"""Tables whose key or whose types changed are folded before the service serves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import ClassVar, cast

import pytest
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import ReferralAccepted, ReferralReceived
from psycopg.errors import RaiseException

from chassis import preparing
from chassis.config import database_url
from chassis.office import Ground
from chassis.projection import Change, Table, on
from operations.composed import composed
from operations.filling import Site
from operations.processes import Failed
from operations.rebuilding import exclusive
from tests.chassis.toy import INTAKE, SCHEDULING, Counts
from tests.conftest import Run
from tests.operations.test_rebuilding import ENDED_MAX_S, Openings, ask, refer, rows
from tests.operations.test_rebuilding_versions import Next, beside
from tests.running import Running

pytestmark = pytest.mark.servers

BY_KIND = Table("counts", key={"patient": "uuid", "kind": "text"}, counters={"n": "integer"})
BY_TEXT = Table("counts", key={"patient": "text"}, counters={"received": "integer", "accepted": "integer"})
LARGE = Table("counts", key={"patient": "uuid"}, counters={"received": "bigint", "accepted": "numeric(12,2)"})
NOTED = Table("counts", key={"patient": "uuid"}, values={"received": "integer", "accepted": "integer"})
LARGER = Table("counts", key={"patient": "uuid"}, counters={"received": "bigint", "accepted": "numeric(9,1)"})


class ByKind(Next):
    """A version whose key has one more column, and whose values became rows."""

    tables: ClassVar[tuple[Table, ...]] = (BY_KIND,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield BY_KIND.add(patient=event.patient, kind="received", n=1)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield BY_KIND.add(patient=about.patient, kind="accepted", n=1)


class ByText(Next):
    """A version whose key is of another type."""

    tables: ClassVar[tuple[Table, ...]] = (BY_TEXT,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield BY_TEXT.add(patient=str(event.patient), received=1)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield BY_TEXT.add(patient=str(about.patient), accepted=1)


class Large(Counts):
    """A version that counts further."""

    tables: ClassVar[tuple[Table, ...]] = (LARGE,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield self.tables[0].add(patient=event.patient, received=1)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield self.tables[0].add(patient=about.patient, accepted=1)


class Larger(Large):
    """One whose numbers have other digits."""

    tables: ClassVar[tuple[Table, ...]] = (LARGER,)


class Noted(Large):
    """A version that notes what the others count: where it notes nothing there is null."""

    tables: ClassVar[tuple[Table, ...]] = (NOTED,)

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        yield NOTED.put(patient=about.patient, accepted=1)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield NOTED.put(patient=event.patient)


class Unfit(ByText):
    """A version that its own table refuses."""

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield BY_TEXT.put(patient="\0", received=1)


class Unordered(ByText):
    """A version whose key is of another type, and whose fold does not commute."""

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        yield BY_TEXT.put(patient=str(event.patient.int % 10), received=about.position)


def of_version(kind: type[Counts], number: int) -> Counts:
    """The counts as a class folds them, by another number."""
    named = {"version": number, "name": classmethod(lambda cls: "Counts")}
    made = type("Version", (kind,), {"received": kind.received, "accepted": kind.accepted, **named})
    return cast(Counts, made())


async def test_tables_whose_key_or_types_changed_are_folded_before_the_service_serves(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 30, patients=20)
        await run.settle()
    for number, kind in enumerate((ByKind, Noted, Counts, Large, Larger), 2):
        scheduling = replace(SCHEDULING, projections=(of_version(kind, number),))
        async with running(INTAKE, scheduling) as run:
            assert await rows(run, "select version from projections") == [{"version": number}]
            assert await columns_of(run) == kind.tables[0].columns
            assert len(await rows(run, "select * from counts")) == (40 if kind is ByKind else 20)
            await refer(run, 5, patients=5)
            await run.settle()
            assert (await ask(run, "verify"))["outcome"] == "equal"


async def columns_of(run: Running) -> dict[str, str]:
    found = await rows(
        run,
        "select attname::text as name, format_type(atttypid, atttypmod) as type from pg_attribute"
        " where attrelid = 'counts'::regclass and attnum > 0 order by attnum",
    )
    return {row["name"]: row["type"] for row in found}


async def test_a_start_that_cannot_fold_says_why(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 40)
        await run.settle()
    for kind, why in (
        (Unfit, "the event .* cannot be folded"),
        (Unordered, "two folds .* first at the event"),
    ):
        with pytest.raises(Failed, match=f"version 2 of Counts could not be folded: {why}"):
            async with running(INTAKE, replace(SCHEDULING, projections=(kind(),))):
                pass


async def test_a_start_that_folds_waits_for_the_rebuild_of_an_older_process(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run:
        await refer(run, 10)
        await run.settle()
        site = Site(SCHEDULING, run.settings, database_url(run.settings, SCHEDULING.name))
        async with AsyncExitStack() as later:
            app = composed(replace(SCHEDULING, projections=(ByText(),)), run.settings)
            async with exclusive(site, Counts()):
                starting = asyncio.create_task(later.enter_async_context(app.router.lifespan_context(app)))
                async with asyncio.timeout(ENDED_MAX_S):
                    while not await rows(run, WAITS_FOR_A_LOCK):
                        await asyncio.sleep(0.02)
                assert await rows(run, "select * from rebuilds") == []
            await starting
            assert await columns_of(run) == BY_TEXT.columns


async def test_a_process_does_not_join_once_the_tables_that_it_looked_at_were_replaced(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a newer release have another key: each event that it folds would be parked."""
    looked, replaced = asyncio.Event(), asyncio.Event()
    async with running(INTAKE, SCHEDULING) as run, AsyncExitStack() as old:
        await refer(run, 10)
        await run.settle()

        async def prepare(ground: Ground) -> None:
            await preparing.prepare(ground)
            if ground.service.projections[0].version == 1:
                looked.set()
                await replaced.wait()

        monkeypatch.setattr("chassis.runtime.prepare", prepare)
        starting = asyncio.create_task(old.enter_async_context(beside(run, Counts())))
        await asyncio.wait_for(looked.wait(), ENDED_MAX_S)
        async with beside(run, ByKind()):
            replaced.set()
            with pytest.raises(RaiseException, match="the read model Counts:2 took the place of another"):
                await starting


async def test_new_columns_wait_for_a_report_behind_which_nobody_waits_long(
    running: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.starting.LOCK_WAIT", b"set local lock_timeout = 200")
    async with running(INTAKE, SCHEDULING) as run, AsyncExitStack() as new:
        await refer(run, 10)
        await run.settle()
        async with run.runtime("scheduling").ground.database.transaction() as report:
            await report.execute("select from counts")
            starting = asyncio.create_task(new.enter_async_context(beside(run, Next())))
            async with asyncio.timeout(ENDED_MAX_S):
                while not await rows(run, WAITS_FOR_READERS):
                    await asyncio.sleep(0.02)
                assert await rows(run, "select count(*) as n from counts") == [{"n": 10}]
            assert not starting.done()
        await starting
        async with run.runtime("scheduling").ground.database.transaction() as report:
            await report.execute("select from counts")
            async with asyncio.timeout(ENDED_MAX_S), beside(run, Next()):
                assert await columns_of(run) == WIDER_BY_LAST


async def test_a_release_that_starts_before_anything_was_applied_looks_who_is_there(running: Run) -> None:
    """Who cannot write its tables is struck off; what is new is mixed where somebody may fold without it."""
    async with running(INTAKE, SCHEDULING) as run:
        await rows(run, "update members set seen_at = 'epoch' returning 1")
        async with beside(run, Counts(), Openings()):
            assert await rows(run, "select name from projections where mixed_at is not null") == [
                {"name": "Openings"}
            ]
        async with beside(run, ByKind()):
            assert await columns_of(run) == BY_KIND.columns
            assert await rows(run, "select distinct role from members where role <> 'fold:'") == [
                {"role": "fold:Counts:2"}
            ]


async def test_a_new_table_is_not_made_empty_where_folding_begins_in_that_moment(running: Run) -> None:
    async with running(INTAKE, SCHEDULING) as run, AsyncExitStack() as later:
        async with run.runtime("scheduling").ground.database.transaction() as moving:
            await moving.execute("insert into positions values ('t', 0, 's', 1, 1)")
            starting = asyncio.create_task(later.enter_async_context(beside(run, Counts(), Openings())))
            async with asyncio.timeout(ENDED_MAX_S):
                while not await rows(run, WAITS_FOR_POSITIONS):
                    await asyncio.sleep(0.02)
        with pytest.raises(RuntimeError, match="events are folded, and Openings lacks them"):
            await starting


WIDER_BY_LAST = {**Counts.tables[0].columns, "first_at": "timestamp with time zone"}
WAITS = """
select from pg_locks
where not granted and database = (select oid from pg_database where datname = current_database()) and
"""
WAITS_FOR_POSITIONS = f"{WAITS} relation = 'positions'::regclass"
WAITS_FOR_READERS = f"{WAITS} relation = 'counts'::regclass and mode = 'AccessExclusiveLock'"
WAITS_FOR_A_LOCK = f"{WAITS} locktype = 'advisory'"
