"""What a superuser does to stores and ledger is named by the check: the event, and how it differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from chassis.config import Settings
from chassis.ids import derive
from operations import remembering
from services.audit.adapters import stores
from tests.conftest import Run
from tests.operations.test_restoring import EARLIER, admin
from tests.services.audit.tampering import INTAKE, Named, Tampering, commit, tampering

pytestmark = pytest.mark.servers

SEED = 20260302


@pytest.fixture
async def stage(
    running: Run, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Tampering]:
    monkeypatch.setattr(stores, "CATCH_UP_MAX_S", 0.3)
    async with tampering(running, servers["postgres"]) as found:
        assert await found.check() == {}
        yield found


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands have one to three events: some pages break within them."""
    monkeypatch.setattr(remembering, "EVENTS_MAX", 4)


async def test_events_that_come_while_it_runs_are_not_named(
    stage: Tampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "CATCH_UP_MAX_S", 20)
    store = stage.run.runtime("intake").ground.store

    async def write() -> None:
        while True:
            await store.append(commit(2))

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    for _ in range(3):
        assert not writing.done()
        assert await stage.check() == {}
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


CHANGES = {
    "uuid": "gen_random_uuid()",
    "text": "{0} || '/x'",
    "integer": "{0} + 7",
    "smallint": "11 - {0}",
    "bigint": "-{0}",
    "timestamp with time zone": "{0} + interval '1 microsecond'",
    "jsonb": '{0} || \'{{"ce_unknown": "1"}}\'',
    "bytea": "set_byte({0}, length({0}) / 2, get_byte({0}, length({0}) / 2) # 1)",
}
"""A change of a value for each type of column."""

IRRELEVANT: dict[tuple[str, str], str] = {
    (
        "commands",
        "digest",
    ): "only here: altered, it makes a repeat be refused or get the first answer, never be carried out again",
}
"""Columns whose alteration need not be named, each with the reason."""


@pytest.mark.parametrize("table", ["events", "ledger", "commands"])
async def test_any_column_altered_in_any_row_is_named(stage: Tampering, table: str) -> None:
    random, unnamed = Random(SEED), []
    for column, kind in stage.columns(table).items():
        if (table, column) in IRRELEVANT:
            continue
        at = random.randrange(10**6)
        event = altered(stage, table, column, CHANGES[kind].format(column), at)
        if event.id not in {named.id for named in await stage.check()}:
            unnamed.append(column)
        stage.restore()
    assert unnamed == []
    assert await stage.check() == {}, "all was restored"


def altered(stage: Tampering, table: str, column: str, change: str, at: int) -> Named:
    """Change a column in one row of intake's that has a value there; the row's event."""
    rows = {
        "events": "select id::text, id as key from events where {} is not null",
        "ledger": f"select event_id::text as id, event_id as key from ledger where source = '{INTAKE}' "
        "and {} is not null",
        "commands": "select e.id::text, c.command_id as key from commands c join lateral (select id from "
        "events where command_id = c.command_id order by position limit 1) e on true where c.{} is not null",
    }[table].format(column)
    found = stage.sql(table, f"{rows} order by 1")
    row = found[at % len(found)]
    event, key = stage.event(f"id = '{row['id']}'"), {"events": "id", "ledger": "event_id"}
    stage.sql(
        table, f"update {table} set {column} = {change} where {key.get(table, 'command_id')} = %s", row["key"]
    )
    return event


def test_every_irrelevant_column_has_a_reason() -> None:
    assert all(IRRELEVANT.values())


@pytest.mark.parametrize("table", ["events", "ledger"])
async def test_a_column_set_to_null_is_named(stage: Tampering, table: str) -> None:
    unnamed = []
    for column in stage.columns(table).keys() - {"source", "epoch", "position"}:
        stage.sql(table, f"alter table {table} alter column {column} drop not null")
        event = altered(stage, table, column, "null", 9)
        if event.id not in {named.id for named in await stage.check()}:
            unnamed.append(column)
        stage.restore()
    assert unnamed == []


async def test_the_newest_events_of_a_store_are_missed(stage: Tampering) -> None:
    newest, before = stage.event(), stage.event("position < (select max(position) from events)")
    stage.sql("events", f"delete from events where id in ('{newest.id}', '{before.id}')")
    found = await stage.check()
    assert {newest, before} <= found.keys()
    assert found[newest] == {"missing in store"}


async def test_the_newest_rows_of_the_ledger_are_missed_though_they_were_passed(stage: Tampering) -> None:
    newest = stage.event()
    stage.sql("ledger", "delete from ledger where event_id = %s", newest.id)
    assert await stage.check() == {newest: {"missing in ledger"}}


async def test_a_row_in_the_middle_is_missed_and_no_other_is_named(stage: Tampering) -> None:
    event = stage.event("position = 9")
    for table, side in (("ledger", "missing in ledger"), ("events", "missing in store")):
        stage.sql(table, f"delete from {table} where position = 9 and stream = %s", event.stream)
        assert (await stage.check())[event] >= {side}
        assert {named for named in await stage.check() if named.stream != event.stream} == set()
        stage.restore()


async def test_what_is_gone_from_store_and_ledger_leaves_its_position_and_its_command(
    stage: Tampering,
) -> None:
    for event in (stage.event(), stage.event("position = 9")):
        [row] = stage.sql("events", "select position, command_id from events where id = %s", event.id)
        stage.sql("events", "delete from events where id = %s", event.id)
        stage.sql("ledger", "delete from ledger where event_id = %s", event.id)
        stage.sql("commands", "delete from commands where command_id = %s", row["command_id"])
        kind = f"positions {row['position']} to {row['position']} are held by neither"
        assert (await stage.check())[Named("intake", "", 0, "")] == {kind}
        stage.restore()


async def test_an_epoch_that_began_is_no_difference(
    running: Run, settings: Settings, servers: dict[str, str]
) -> None:
    async with tampering(running, servers["postgres"]):
        pass
    admin(settings, EARLIER, database=f"{settings.database_prefix}_intake")
    async with tampering(running, servers["postgres"]) as stage:
        assert await stage.check() == {}
        event = stage.event("epoch = 2 and type = 'caretrail.system.EpochBegan'")
        for table, key in (("events", "id"), ("ledger", "event_id")):
            stage.sql(table, f"delete from {table} where {key} = %s", event.id)
        assert Named("intake", "", 0, "") in await stage.check(), "an opening that lacks an event is named"


async def test_rows_that_the_ledgers_reader_did_not_write_are_named(stage: Tampering) -> None:
    event = stage.event("position = 9")
    copied = f"from ledger l where event_id = '{event.id}'"
    copy = f"insert into ledger select (jsonb_populate_record(l, %s)).* {copied}"
    extra = {"event_id": str(derive("extra"))}
    cases = (
        extra | {"position": 1_000_000},
        extra | {"epoch": 2},
        extra | {"source": "urn:caretrail:unheard:main"},
    )
    for case in cases:
        stage.sql("ledger", copy, Jsonb(case))
        assert any(event.id == named.id for named in await stage.check()), case
        stage.restore()
    written = extra | {"position": 1_000_000, "headers": None}
    [row] = stage.sql("ledger", "select headers from ledger where event_id = %s", event.id)
    written["headers"] = row["headers"] | {"ce_id": extra["event_id"], "ce_position": "1000000"}
    stage.sql("ledger", copy, Jsonb(written))
    assert Named("intake", event.stream, event.version, extra["event_id"]) in await stage.check()


async def test_a_row_held_twice_is_named(stage: Tampering) -> None:
    event = stage.event("position = 9")
    stage.sql("ledger", "alter table ledger drop constraint ledger_pkey, drop constraint ledger_event_id_key")
    stage.sql("ledger", f"insert into ledger select * from ledger where event_id = '{event.id}'")
    assert (await stage.check())[event] == {"held twice"}


async def test_a_header_altered_added_or_taken_is_named(stage: Tampering) -> None:
    random, unnamed = Random(SEED), []
    rows = f"select event_id, headers from ledger where source = '{INTAKE}' order by event_id"
    kept = stage.sql("ledger", rows)
    for header in [*sorted({name for row in kept for name in row["headers"]}), "ce_unknown"]:
        found = [row for row in kept if header in row["headers"]] or kept
        event = stage.event(f"id = '{random.choice(found)['event_id']}'")
        # Added to what is there, for a fixed value may be what the record has.
        changes = [f"headers || jsonb_build_object('{header}', concat(headers->>'{header}', '7'))"]
        changes += [f"headers - '{header}'"] if found is not kept else []
        for change in changes:
            stage.alter("ledger", f"headers = {change}", event)
            if event.id not in {named.id for named in await stage.check()}:
                unnamed.append(change)
            stage.restore()
    assert unnamed == []


async def test_what_cannot_be_read_is_named_and_the_rest_still_checked(stage: Tampering) -> None:
    event, other = stage.event("position = 9"), stage.event("position = 3")
    unreadable = {
        "events": ["sensitivity = 'bogus'", "occurred_at = 'infinity'", "recorded_at = '-infinity'"],
        "ledger": ["headers = headers - 'ce_actorid'", "headers = '7'", "occurred_at = 'infinity'"],
    }
    for table, changes in unreadable.items():
        for change in [*changes, "stream = 'a/b/../c'"]:
            stage.alter(table, change, event)
            stage.alter("ledger", "type = 'other'", other)
            named = {named.id for named in await stage.check()}
            assert {event.id, other.id} <= named, change
            stage.restore()


@pytest.mark.usefixtures("small_pages")
async def test_a_command_that_could_be_carried_out_twice_is_named(stage: Tampering) -> None:
    event = stage.event("position = 9")
    of_it = f"where command_id = (select command_id from events where id = '{event.id}')"
    for change in ("delete from commands", "update commands set command_id = gen_random_uuid()"):
        stage.sql("commands", f"{change} {of_it}")
        assert "its command is not remembered" in (await stage.check())[event]
        stage.restore()
    stage.sql("commands", f"update commands set position = position + 1 {of_it}")
    assert (await stage.check())[event] == {"its command is remembered with another answer"}


@pytest.mark.usefixtures("small_pages")
async def test_an_answer_that_was_altered_is_named(stage: Tampering) -> None:
    refused = stage.event("type = 'caretrail.system.CommandRefused'")
    changes = (
        "refusal = null",
        "refusal = '5'",
        "refusal = refusal - 'at'",
        'refusal = refusal || \'{"rule": "Other"}\'',
        'refusal = refusal || \'{"message": "other"}\'',
        'refusal = refusal || \'{"at": "/other"}\'',
        "streams = '[]'",
        "streams = '{}'",
    )
    for change in changes:
        of_it = "where refusal is not null"
        stage.sql("commands", f"update commands set {change} {of_it}")
        assert refused in await stage.check(), change
        stage.restore()


async def test_a_service_whose_digests_cannot_be_read_is_named(
    stage: Tampering, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def frozen(client: httpx.AsyncClient, url: str, **parameters: Any) -> Any:
        raise httpx.ReadTimeout("", request=httpx.Request("GET", url))

    monkeypatch.setattr(stores, "_get", frozen)
    answer = await stage.run.post("audit", "/integrity-checks")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The digests of audit could not be read: ReadTimeout."


@pytest.mark.usefixtures("small_pages")
async def test_an_audit_of_the_release_before_is_told_of_commands_all_at_once(stage: Tampering) -> None:
    event = stage.event("position = 9")
    of_it = f"where command_id = (select command_id from events where id = '{event.id}')"
    stage.sql("commands", f"update commands set position = position + 1 {of_it}")
    found = (await stage.run.get("intake", "/internal/digests")).json()["commands"]
    assert {each["kind"] for each in found} == {"its command is remembered with another answer"}
    assert event.id in {each["id"] for each in found}


@pytest.mark.usefixtures("small_pages")
async def test_a_command_remembered_without_events_is_named(stage: Tampering) -> None:
    id = derive("never sent")
    stage.sql("commands", "insert into commands values (%s, null, 3, '{\"referral-1\": 1}', null)", str(id))
    assert await stage.check() == {
        Named("intake", "", 0, str(id)): {"a command is remembered without its events"}
    }


async def test_an_event_that_no_command_recorded_is_named_though_it_reached_the_ledger(
    stage: Tampering,
) -> None:
    forged, head = derive("forged"), "(select max(position) from events)"
    change = Jsonb({"id": str(forged), "stream_version": 2})
    copy = f"select (jsonb_populate_record(e, %s)).* from events e where position = {head}"
    stage.sql("events", f"create table forged as {copy}", change)
    stage.sql("events", "update forged set position = position + 1")
    stage.sql("events", "insert into events table forged")
    await stage.run.settle()
    named = {named.id: kinds for named, kinds in (await stage.check()).items()}
    assert "its id does not follow from its command" in named[str(forged)]
    assert "missing in ledger" not in named[str(forged)]
