"""Positions move only from where their owner knows them to be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from caretrail_contracts.cloudevents import Record
from caretrail_contracts.envelope import Actor
from caretrail_contracts.intake import DeclineReason, ReferralDeclined

from chassis.command import Cause, Commit, Fact
from chassis.database import Database
from chassis.positions import FENCED, Gap, Positions, Steps
from chassis.store import Origin
from tests.chassis.test_store import TABLES
from tests.memory import envelope_of

MEMBER = UUID(int=7)
TOPIC = "caretrail.intake.events"


@pytest.fixture
async def database(database: str) -> AsyncIterator[Database]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    async with Database(database) as found:
        await found.rows("select join_folding(%s, '{}')", MEMBER)
        yield found


def record(position: int, prev: int | None) -> Record:
    """A record of one patient's partition."""
    now, id = datetime(2026, 3, 2, tzinfo=UTC), UUID(int=position)
    fact = Fact("referral-1", 1, ReferralDeclined(reason=DeclineReason.OUT_OF_AREA), now, None, None)
    cause = Cause(command_id=id, actor=Actor("a", "b"), purpose="TREAT", correlation_id=id)
    envelope = envelope_of(Origin("intake"), Commit(cause, now, (fact,), {}), 0, position)
    return Record(envelope, b"{}", prev)


async def moved(database: Database, positions: Positions, *records: Record) -> None:
    """Take and move to records, each at the offset of its position."""
    steps = Steps(positions, TOPIC)
    new = [record for record in records if steps.take(record, record.envelope.position)]
    async with database.transaction() as connection:
        await steps.move(connection, new, MEMBER)
    steps.done()


@pytest.mark.servers
@pytest.mark.parametrize("before", [0, 1])
async def test_who_reads_beside_another_is_fenced(database: Database, before: int) -> None:
    positions, others = Positions(), Positions()
    for position in range(1, before + 1):
        await moved(database, positions, record(position, position - 1 or None))
    await others.load(database.rows)
    await moved(database, positions, record(before + 1, before or None))
    with pytest.raises(psycopg.DatabaseError) as refused:
        await moved(database, others, record(before + 1, before or None))
    assert refused.value.sqlstate == FENCED
    [row] = await database.rows("select epoch, position, kafka_offset from positions")
    assert row == {"epoch": 1, "position": before + 1, "kafka_offset": before + 1}


@pytest.mark.servers
@pytest.mark.parametrize("hours", [-1, 1])
async def test_who_was_seen_at_another_time_than_now_counts_as_gone(database: Database, hours: int) -> None:
    """In the future by the clock of a server that another one replaced."""
    look = "select present from strangers('Counts', 1)"
    assert await database.rows(look) == [{"present": True}]
    await database.rows("update members set seen_at = seen_at + %s * interval '1 hour' returning 1", hours)
    assert await database.rows(look) == [{"present": False}]


@pytest.mark.servers
@pytest.mark.parametrize("before", [0, 1])
async def test_who_was_struck_off_is_fenced_though_nobody_moved_since(
    database: Database, before: int
) -> None:
    positions = Positions()
    for position in range(1, before + 1):
        await moved(database, positions, record(position, position - 1 or None))
    await database.rows("delete from members where member = %s returning 1", MEMBER)
    with pytest.raises(psycopg.DatabaseError) as refused:
        await moved(database, positions, record(before + 1, before or None))
    assert refused.value.sqlstate == FENCED
    assert len(await database.rows("select from positions where position > %s", before)) == 0


@pytest.mark.servers
async def test_positions_go_on_from_where_they_were_stored(database: Database) -> None:
    await moved(database, Positions(), record(1, None), record(2, 1))
    again = Positions()
    await again.load(database.rows)
    await moved(database, again, record(3, 2))
    last = again.last(TOPIC, record(1, None).envelope.partition)
    assert last
    assert (last[0], last[1].position) == ("urn:caretrail:intake:main", 3)


def test_a_record_sent_again_is_passed_over() -> None:
    steps = Steps(Positions(), TOPIC)
    assert [steps.take(record(1, None), 0), steps.take(record(1, None), 1), steps.take(record(2, 1), 2)] == [
        True,
        False,
        True,
    ]


@pytest.mark.servers
async def test_where_an_epoch_gives_a_position_again_each_of_both_is_moved_to(database: Database) -> None:
    """In one batch, of which one transaction has the first of them and another one the second."""
    positions = Positions()
    batch = [of_epoch(1, 1, None), of_epoch(1, 2, 1), of_epoch(2, 2, None), of_epoch(2, 3, 2)]
    steps = Steps(positions, TOPIC)
    assert all(steps.take(record, offset) for offset, record in enumerate(batch))
    for part, stored in ((batch[:2], (1, 2, 1)), (batch[2:3], (2, 2, 2)), (batch[3:], (2, 3, 3))):
        async with database.transaction() as connection:
            await steps.move(connection, part, MEMBER)
        steps.done()
        [row] = await database.rows("select epoch, position, kafka_offset from positions")
        assert tuple(row.values()) == stored


def of_epoch(epoch: int, position: int, prev: int | None) -> Record:
    """A record of an epoch of the store."""
    found = record(position, prev)
    return found._replace(envelope=found.envelope._replace(epoch=epoch))


def test_a_record_whose_forerunner_never_came_is_a_gap() -> None:
    steps = Steps(Positions(), TOPIC)
    steps.take(record(1, None), 0)
    with pytest.raises(Gap):
        steps.take(record(3, 2), 1)
