"""Versions of an event in a real store and on a real topic: old ones are upcast, unreadable ones parked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from caretrail_contracts.envelope import Actor, Envelope
from caretrail_contracts.event import Event, Upcast
from pydantic import ValidationError

import chassis
from chassis.command import Cause, Commit, Fact, Handlers
from chassis.database import Database
from chassis.group import PostgresStore
from chassis.policy import Policies
from chassis.postgres import Appender
from chassis.projection import Change, Projection, Table, on
from chassis.service import Service
from chassis.store import Origin, Store
from tests.conftest import Run
from tests.running import Running

pytestmark = pytest.mark.servers

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIGRATIONS = sorted((Path(chassis.__file__).parent / "migrations").glob("*.sql"))
TABLES = b"\n".join(file.read_bytes() for file in MIGRATIONS)


class First:
    class Visited(Event, service="intake", version=1):
        """A visit as it was first told."""

        patient: UUID
        mins: int


class Second:
    class Visited(Event, service="intake", version=2):
        """The minutes have their name."""

        patient: UUID
        minutes: int


class Newer:
    class Visited(Event, service="intake", version=4):
        """A version that this process does not know: it has a field more."""

        patient: UUID
        minutes: int
        reason: str | None
        room: str


class Incompatible:
    class Visited(Event, service="intake", version=5):
        """A version that no older reader can take: minutes became words."""

        patient: UUID
        minutes: str
        reason: str | None


class Visited(Event, service="intake", version=3):
    """Somebody visited; what this process knows."""

    upcasts: ClassVar[dict[int, Upcast]] = {
        1: lambda old: {"patient": old["patient"], "minutes": old["mins"]},
        2: lambda old: old | {"reason": None},
    }
    patient: UUID
    minutes: int
    reason: str | None


VISITS = Table("visits", key={"patient": "uuid"}, counters={"visits": "integer", "minutes": "integer"})


class Visits(Projection):
    """How many minutes each patient was there."""

    tables: ClassVar[tuple[Table, ...]] = (VISITS,)

    @on(Visited)
    def visited(self, event: Visited, about: Envelope) -> Iterator[Change]:
        yield VISITS.add(patient=event.patient, visits=1, minutes=event.minutes)


TELLING = Service("intake", Handlers(), Policies())
FOLDING = Service("scheduling", Handlers(), Policies(), (Visits(),))


def told(event: Event, patient: UUID, after: int) -> Commit:
    """A commit of one event to the patient's stream, by a process that has that version."""
    id = uuid4()
    cause = Cause(command_id=id, actor=Actor("a", "b"), purpose="TREAT", correlation_id=id, digest=None)
    stream = f"visits-{patient}"
    return Commit(cause, NOW, (Fact(stream, after + 1, event, NOW, patient, None),), {stream: after}, ())


def history(patient: UUID) -> list[Event]:
    return [
        First.Visited(patient=patient, mins=10),
        Second.Visited(patient=patient, minutes=20),
        Visited(patient=patient, minutes=30, reason="check-up"),
        Newer.Visited(patient=patient, minutes=40, reason=None, room="3"),
    ]


async def tell(store: Store, events: list[Event], patient: UUID) -> None:
    for after, event in enumerate(events):
        await store.append(told(event, patient, after))


async def minutes(run: Running) -> dict[UUID, tuple[int, int]]:
    rows = await run.runtime("scheduling").ground.database.rows("select * from visits")
    return {row["patient"]: (row["visits"], row["minutes"]) for row in rows}


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    async with Database(database) as found, PostgresStore(found, Appender(Origin("intake"), 1)) as opened:
        yield opened


async def test_a_stream_of_old_and_newer_versions_is_read_as_today_s(store: PostgresStore) -> None:
    patient = uuid4()
    await tell(store, history(patient), patient)
    facts = [event for event, _ in await store.read_stream(f"visits-{patient}")]
    assert facts == [
        Visited(patient=patient, minutes=10, reason=None),
        Visited(patient=patient, minutes=20, reason=None),
        Visited(patient=patient, minutes=30, reason="check-up"),
        Visited(patient=patient, minutes=40, reason=None),
    ]
    versions = [record.envelope.version for record in await store.read(0, 10)]
    assert versions == [1, 2, 3, 4], "what is stored stays as it was told"


async def test_a_stream_with_an_incompatible_version_is_not_read_at_all(store: PostgresStore) -> None:
    patient = uuid4()
    await tell(
        store,
        [*history(patient), Incompatible.Visited(patient=patient, minutes="an hour", reason=None)],
        patient,
    )
    with pytest.raises(ValidationError, match="minutes"):
        await store.read_stream(f"visits-{patient}")


async def test_a_topic_of_old_and_newer_versions_is_folded_and_an_incompatible_one_parked(
    running: Run,
) -> None:
    async with running(TELLING, FOLDING) as run:
        well, odd = uuid4(), uuid4()
        store = run.runtime("intake").ground.store
        await tell(
            store,
            [
                *history(odd),
                Incompatible.Visited(patient=odd, minutes="an hour", reason=None),
                history(odd)[0],
            ],
            odd,
        )
        await tell(store, history(well), well)
        await run.settle()
        assert await minutes(run) == {well: (4, 100), odd: (4, 100)}
        rows = await run.runtime("scheduling").ground.database.rows("select * from parked order by id")
        assert [(row["key"], row["error"]) for row in rows] == [
            (str(odd), "Visited: /minutes: expected a whole number"),
            (str(odd), "waits"),
        ]
