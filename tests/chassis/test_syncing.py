"""What is waited for until it is on the disk: whatever is promised, and nothing else."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from chassis.database import arrays, connect, fetch
from chassis.effects import MOVE
from chassis.relay import MOVE_MARK
from tests.chassis import toy
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers

NOTE_AT_COMMIT = """
create table settings_seen (topic text, setting text);
grant all on settings_seen to public;
create function note_setting() returns trigger language plpgsql as $$
begin
    insert into settings_seen values (new.topic, current_setting('synchronous_commit'));
    return null;
end $$;
create constraint trigger note after insert or update on positions deferrable initially deferred
for each row execute function note_setting()
"""
"""A deferred trigger runs at the commit: it sees what the commit will go by."""


def watch(run: Running, service: str) -> None:
    assert run.settings.postgres_url
    name = f"{run.settings.database_prefix}_{service}"
    with psycopg.connect(run.settings.postgres_url.get_secret_value(), dbname=name, autocommit=True) as admin:
        admin.execute(NOTE_AT_COMMIT.encode())


async def seen(run: Running, service: str) -> set[tuple[str, str]]:
    rows = await run.runtime(service).ground.database.rows(
        "select distinct topic, setting from settings_seen"
    )
    return {(row["topic"].partition(".")[2] or row["topic"], row["setting"]) for row in rows}


async def test_rows_that_can_be_folded_again_are_not_waited_for_but_follow_up_events_are(
    running: Run,
) -> None:
    async with running(toy.INTAKE, toy.SCHEDULING) as run:
        watch(run, "scheduling")
        answer = await run.post("intake", "/referrals", {"patient": str(uuid4())})
        await run.settle()
        assert await seen(run, "scheduling") == {("intake.events", "on"), ("store", "off")}
        await run.runtime("scheduling").ground.database.rows("delete from settings_seen returning topic")
        await run.post(
            "intake", f"/referrals/{next(iter(answer.json()['streams'])).partition('-')[2]}/accept"
        )
        await run.settle()
        assert await seen(run, "scheduling") == {("intake.events", "off")}


async def test_the_mark_of_effects_is_not_waited_for(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        await run.post("intake", "/referrals", {"patient": str(uuid4())})
        database = run.runtime("intake").ground.database
        async with database.transaction() as connection:
            [event] = await fetch(connection, "select partition, id, stream, stream_version from events")
            assert await fetch(connection, MOVE, *arrays([(*event.values(), 0)]), 1)
            assert await fetch(connection, "show synchronous_commit") == [{"synchronous_commit": "off"}]


async def test_the_relays_mark_is_not_waited_for_and_whatever_comes_after_it_is(running: Run) -> None:
    async with running(toy.INTAKE) as run:
        connection = await connect(run.runtime("intake").ground.database.url)
        async with connection, connection.transaction():
            await connection.execute(MOVE_MARK, ("elsewhere", 1, 0, 1))
            assert await fetch(connection, "show synchronous_commit") == [{"synchronous_commit": "off"}]
        connection = await connect(run.runtime("intake").ground.database.url)
        async with connection:
            await connection.execute(MOVE_MARK, ("elsewhere", 2, 1, 1))
            assert await fetch(connection, "show synchronous_commit") == [{"synchronous_commit": "on"}]
            assert await fetch(connection, "select position from relay_mark where topic = 'elsewhere'") == [
                {"position": 2}
            ]
