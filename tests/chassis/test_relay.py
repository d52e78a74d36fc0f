"""The relay's statement prints what `to_headers` makes of the same rows, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from caretrail_contracts.cloudevents import to_headers
from caretrail_contracts.envelope import Actor
from caretrail_contracts.intake import DeclineReason, ReferralDeclined

import chassis
from chassis.command import Cause, Commit, Fact
from chassis.database import Database
from chassis.group import ANOTHER, PostgresStore
from chassis.postgres import Appender
from chassis.refusal import Unavailable
from chassis.relay import MOVE_MARK, message_of, outgoing
from chassis.store import Origin

pytestmark = pytest.mark.servers

MIGRATIONS = sorted((Path(chassis.__file__).parent / "migrations").glob("*.sql"))
TABLES = b"\n".join(file.read_bytes() for file in MIGRATIONS)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = (
    NOON,
    NOON + timedelta(microseconds=1),
    NOON + timedelta(milliseconds=120),
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-5))),
    datetime(1931, 1, 1, tzinfo=UTC),
)
SITES = (None, "north", "Zürich \\x27 \"'%s")


def commit(at: datetime, site: str | None, patient: UUID | None, causation: UUID | None) -> Commit:
    id, stream = uuid4(), f"referral-{uuid4()}"
    cause = Cause(
        command_id=id,
        actor=Actor("ümit", "koordinator"),
        purpose="TREAT",
        correlation_id=uuid4(),
        causation_id=causation,
    )
    event = ReferralDeclined(reason=DeclineReason.OUT_OF_AREA)
    facts = tuple(Fact(stream, step, event, at, patient, site) for step in (1, 2))
    return Commit(cause, at, facts, {stream: 0}, ())


async def test_what_is_sent_is_what_headers_are_made_of_everywhere_else(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    origin = Origin("intake")
    commits = [
        commit(at, site, patient, causation)
        for at in TIMES
        for site in SITES
        for patient in (None, uuid4())
        for causation in (None, uuid4())
    ]
    async with Database(database) as pool, PostgresStore(pool, Appender(origin, 1)) as store:
        for each in commits:
            await store.append(each)
        records = await store.read(10, 1_000)
        async with pool.connection() as connection:
            await connection.execute("set timezone to 'Asia/Kolkata'")
            await connection.execute(MOVE_MARK, ("intake.events", 10, 0, 1))
            sent = await outgoing(connection, None, "intake.events", 1, 1_000)
            [first] = await outgoing(connection, None, "another", 1, 1)
    assert (first[0], message_of(origin.source, first)[0]) == (0, 1)
    for row, record in zip(sent, records, strict=True):
        about, (position, partition, message) = record.envelope, message_of(origin.source, row)
        assert (row[0], position, partition) == (10, about.position, about.partition)
        assert message == {
            "timestamp": (about.recorded_at - EPOCH) // timedelta(milliseconds=1),
            "key": about.key.encode(),
            "value": record.body,
            "headers": to_headers(about, record.prev),
        }


async def test_where_a_later_epoch_began_neither_the_log_nor_the_mark_moves(database: str) -> None:
    """What a process of the epoch before read, and sent meanwhile, may be of events that the store lacks."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    async with (
        Database(database) as pool,
        PostgresStore(pool, Appender(Origin("intake"), 1)) as before,
        PostgresStore(pool, Appender(Origin("intake"), 2)) as store,
    ):
        await before.append(commit(NOON, None, None, None))
        await pool.rows(MOVE_MARK, "intake.events", 1, 0, 1)
        await pool.rows("insert into origin values ('urn:caretrail:intake:main', 2) returning epoch")
        with pytest.raises(Unavailable):
            await before.append(commit(NOON, None, None, None))
        with pytest.raises(psycopg.OperationalError) as refused:
            await pool.rows(MOVE_MARK, "intake.events", 2, 1, 1)
        assert refused.value.sqlstate == ANOTHER
        await store.append(commit(NOON, None, None, None))
        assert {record.envelope.epoch for record in await store.read(2, 10)} == {2}
        assert await pool.rows(MOVE_MARK, "intake.events", 2, 1, 2)
