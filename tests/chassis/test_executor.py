"""Aggregates kept in memory are guesses: what they decide holds only where the log has not moved on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID, uuid4

import pytest
from caretrail_contracts.event import Event
from caretrail_contracts.intake import DeclineReason, ReferralAccepted, ReferralDeclined

from chassis.aggregate import Aggregate
from chassis.command import Cause, Command, Handlers, Work
from chassis.executor import Executor
from chassis.refusal import Refusal, Refused
from chassis.store import Origin
from tests.memory import MemoryStore
from tests.scenario import FixedClock

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DECLINED = ReferralDeclined(reason=DeclineReason.OUT_OF_AREA)


class Shut(Refusal):
    """It is shut already."""


class Door(Aggregate):
    category: ClassVar[str] = "door"
    open: bool = False

    def when(self, fact: Event) -> None:
        self.open = isinstance(fact, ReferralAccepted)


class Open(Command):
    door: UUID


class Shutting(Command):
    door: UUID
    strictly: bool


class Leave(Command):
    door: UUID
    letter: UUID


handlers = Handlers()


@handlers.handles(Open)
async def open_door(command: Open, work: Work) -> None:
    door = await work.find(Door, command.door)
    if door is None:
        work.add(Door.start(command.door, ReferralAccepted(), work.now))
    else:
        door.record(ReferralAccepted(), work.now)


@handlers.handles(Shutting)
async def shut_door(command: Shutting, work: Work) -> None:
    door = await work.load(Door, command.door)
    if door.open:
        door.record(DECLINED, work.now)
    elif command.strictly:
        raise Shut()


@handlers.handles(Leave)
async def leave(command: Leave, work: Work) -> None:
    """A letter is left behind an open door."""
    door = await work.load(Door, command.door)
    work.add(Door.start(command.letter, ReferralAccepted() if door.open else DECLINED, work.now))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(Origin("test"))


def process(store: MemoryStore) -> Executor:
    """A process of the service, with aggregates of its own in memory."""
    return Executor(store, handlers, FixedClock(NOW))


def cause() -> Cause:
    return Cause.own(uuid4(), "test", "tester")


async def a_door_that_another_process_opened(store: MemoryStore) -> tuple[Executor, UUID]:
    """A process that remembers the door as shut, and the door."""
    one, other, door = process(store), process(store), uuid4()
    await one.execute(Open(door=door), cause())
    await one.execute(Shutting(door=door, strictly=True), cause())
    await other.execute(Open(door=door), cause())
    return one, door


async def test_nothing_to_do_is_decided_again_where_another_process_was_there(store: MemoryStore) -> None:
    one, door = await a_door_that_another_process_opened(store)
    answer = await one.execute(Shutting(door=door, strictly=False), cause())
    assert answer.streams == {f"door-{door}": 4}


async def test_a_refusal_is_decided_again_where_another_process_was_there(store: MemoryStore) -> None:
    one, door = await a_door_that_another_process_opened(store)
    answer = await one.execute(Shutting(door=door, strictly=True), cause())
    assert answer.streams == {f"door-{door}": 4}


async def test_what_was_only_looked_at_is_confirmed_too(store: MemoryStore) -> None:
    one, door = await a_door_that_another_process_opened(store)
    letter = uuid4()
    await one.execute(Leave(door=door, letter=letter), cause())
    [(event, _)] = await store.read_stream(f"door-{letter}")
    assert isinstance(event, ReferralAccepted)


async def test_a_refusal_by_what_the_log_says_stands(store: MemoryStore) -> None:
    one, door = process(store), uuid4()
    await one.execute(Open(door=door), cause())
    for _ in range(2):
        await one.execute(Shutting(door=door, strictly=False), cause())
    with pytest.raises(Refused):
        await one.execute(Shutting(door=door, strictly=True), cause())
    assert [type(event) for event, _ in await store.read_stream(f"door-{door}")] == [
        ReferralAccepted,
        ReferralDeclined,
    ]


@pytest.mark.parametrize("there", [True, False], ids=["loaded", "not there"])
async def test_what_was_read_from_the_log_is_confirmed_like_what_was_remembered(
    store: MemoryStore, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one process decides by what it read, another one opens the door."""
    one, other, door, read = process(store), process(store), uuid4(), store.load
    if there:
        await other.execute(Open(door=door), cause())
        await other.execute(Shutting(door=door, strictly=True), cause())

    async def load(cls: type[Door], id: UUID) -> Door | None:
        found = await read(cls, id)
        monkeypatch.undo()
        await other.execute(Open(door=door), cause())
        return found

    monkeypatch.setattr(store, "load", load)
    letter = uuid4()
    await one.execute(Leave(door=door, letter=letter), cause())
    [(event, _)] = await store.read_stream(f"door-{letter}")
    assert isinstance(event, ReferralAccepted)
