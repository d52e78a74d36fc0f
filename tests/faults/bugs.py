"""Bugs seeded into the running stack, to see that the checker catches what they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def dedupe_off() -> None:
    """A record that was applied before is applied again."""
    from chassis.positions import Place, Steps

    def take(self: Any, record: Any, offset: int) -> bool:
        about, spot = record.envelope, self._spot(record)
        self._taken[spot] = self._places[spot, about.position] = Place(about.epoch, about.position, offset)
        return True

    Steps.take = take  # type: ignore[method-assign]


def ack_before_commit() -> None:
    """A command is answered while its events are still on the way, and every eighth never gets there."""
    from chassis.command import Answer
    from chassis.group import PostgresStore

    inner, count = PostgresStore.append, [0]

    async def append(self: Any, commit: Any) -> Any:
        count[0] += 1
        if count[0] % 8 == 0 and commit.refusal is None and commit.cause.digest:
            return Answer(commit.cause.command_id, 1, commit.streams)
        return await inner(self, commit)

    PostgresStore.append = append  # type: ignore[method-assign]


def mark_before_publish() -> None:
    """The relay's mark moves before what is sent is acknowledged, and what then fails is never sent again."""
    from chassis.relay import MOVE_MARK, Relay

    inner, count = Relay.take, [0]

    async def take(self: Any, records: Any) -> Any:
        position, epoch = records[-1][0], self.ground.store.appender.epoch
        await self.ground.database.rows(MOVE_MARK, self.ground.topic, position, self._mark, epoch)
        self._mark = position
        count[0] += 1
        if count[0] % 5:
            await inner(self, records)
        return position

    Relay.take = take  # type: ignore[assignment,method-assign]


def position_ahead() -> None:
    """Every fourth batch that is applied moves its position and loses its rows."""
    from chassis.tables import Buffer

    inner, count = Buffer.flush, [0]

    async def flush(self: Any, connection: Any) -> set[str]:
        count[0] += 1
        if count[0] % 4 == 0:
            self._rows, self._inserts = {}, {}
        return await inner(self, connection)

    Buffer.flush = flush  # type: ignore[method-assign]


def cause_lost() -> None:
    """What a service does in its own name tells neither the event that led to it nor the story it is of."""
    from chassis.command import Cause

    inner = Cause.own

    def own(id: Any, service: str, role: str, *led: Any) -> Any:
        return inner(id, service, role)

    Cause.own = own  # type: ignore[method-assign,assignment]


def timers_early() -> None:
    """A timer fires up to six hours before it is due."""
    from chassis import timers

    for name in ("DUE", "TAKE"):
        text = getattr(timers, name)
        setattr(timers, name, text.replace(b"due_at <= %s", b"due_at <= %s + interval '6 hours'"))


def second_reaction_lost() -> None:
    """Of the commands that an event leads to the first one alone is carried out."""
    from chassis.batch import Batch
    from chassis.command import Command

    inner = Batch._carry_out

    async def carry_out(self: Any, reaction: Any, policy: str, index: int, about: Any) -> None:
        if not (index and isinstance(reaction, Command)):
            await inner(self, reaction, policy, index, about)

    Batch._carry_out = carry_out  # type: ignore[method-assign]


def reservations_lost() -> None:
    """No key is ever held."""
    from chassis.postgres import Appender

    inner = Appender.pack

    def pack(self: Any, commit: Any) -> Any:
        return inner(self, commit._replace(reservations=()))

    Appender.pack = pack  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug that is seeded, and the rules that must each find it: what else is found is no proof."""

    seed: Callable[[], None]
    found_by: tuple[str, ...]


ALL = {
    "dedupe_off": Bug(dedupe_off, ("nothing real is parked",)),
    "ack_before_commit": Bug(ack_before_commit, ("acknowledged commands are kept",)),
    "mark_before_publish": Bug(mark_before_publish, ("topics hold what stores hold",)),
    "position_ahead": Bug(
        position_ahead, ("the ledger is the union of the stores", "read models equal the fold of the log")
    ),
    "cause_lost": Bug(cause_lost, ("events name what led to them", "stories begin with what somebody sent")),
    "timers_early": Bug(timers_early, ("timers fire when they are due",)),
    "second_reaction_lost": Bug(second_reaction_lost, ("what an event leads to is carried out",)),
    "reservations_lost": Bug(
        reservations_lost,
        ("keys are held by whom their streams name", "who is sent twice is registered once"),
    ),
}
"""Every bug by its name."""


def install(name: str) -> None:
    """Seed a bug; none where there is no name."""
    if name:
        ALL[name].seed()
