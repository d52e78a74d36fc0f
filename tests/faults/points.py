"""Points of failure: before and after each step that leaves the process, where it can be made to die.

A file beside the run's clock arms a point for one process; the process that reaches it dies of SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

CONSUMING = (
    "apply.before", "apply.moving", "apply.moved", "apply.finishing", "apply.before-commit", "apply.after",
)  # fmt: skip
"""A batch of another's events: its transaction, its position within it, its follow-up events."""

WRITING = ("commit.before", "commit.after")
RELAYING = ("produce.before", "produce.sent", "produce.after", "mark.after")
FIRING = ("timers.before", "timers.after")
EFFECTING = (
    "effect.before", "effect.acted", "effect.recorded", "effect.done",
    "effect.before-mark", "effect.after-mark", "effect.before-ack", "effect.after-ack",
)  # fmt: skip
ANSWERING = ("answer.before", "answer.recorded", "answer.taken")
"""What the payer answered: read, recorded, and its file put aside."""

KEYING = ("key.before", "key.issued")
"""A person's key, which the keystore has before anything that is sealed under it is recorded."""

SWAPPING = ("swap.proved", "swap.before", "swap.moved", "swap.committed")
"""The end of a rebuild: once it is proved, before its tables take their place, after it, after the commit."""

ALL = (*CONSUMING, *WRITING, *RELAYING, *FIRING, *EFFECTING, *ANSWERING, *KEYING, *SWAPPING)


def arm(folder: Path, name: str, point: str, visits: int) -> None:
    """Have a process die when it comes to a point for the given time."""
    (folder / f"arm-{name}.new").write_text(f"{point} {visits}")
    (folder / f"arm-{name}.new").rename(folder / f"arm-{name}")


def disarm(folder: Path, name: str) -> bool:
    """Take an arm back; whether it was still there."""
    path = folder / f"arm-{name}"
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def slow(folder: Path, name: str, seconds: float) -> None:
    """Have a process rest before each batch that it applies; 0 ends it."""
    path = folder / f"slow-{name}"
    if seconds:
        path.write_text(str(seconds))
    else:
        path.unlink(missing_ok=True)


class Points:
    """The points of one process."""

    def __init__(self, folder: Path, name: str) -> None:
        self._arm, self._slow = folder / f"arm-{name}", folder / f"slow-{name}"

    def at(self, point: str) -> None:
        """The process is here: it dies where that is armed."""
        if not os.path.exists(self._arm):
            return
        armed, _, visits = self._arm.read_text().partition(" ")
        if armed != point:
            return
        if int(visits) > 1:
            self._arm.write_text(f"{armed} {int(visits) - 1}")
            return
        self._arm.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGKILL)

    async def rest(self) -> None:
        """Rest where the process is to be slow."""
        if os.path.exists(self._slow):
            await asyncio.sleep(float(self._slow.read_text() or 0))


def around(owner: Any, method: str, points: Points, before: str, after: str) -> None:
    """Put points before and after a coroutine method."""
    inner: Callable[..., Awaitable[Any]] = getattr(owner, method)

    async def outer(*args: Any, **named: Any) -> Any:
        points.at(before)
        found = await inner(*args, **named)
        points.at(after)
        return found

    setattr(owner, method, outer)


def install(points: Points) -> None:
    """Put every point where its step is."""
    from aiokafka import AIOKafkaProducer

    from chassis.applying import Applier
    from chassis.batch import Batch
    from chassis.group import PostgresStore
    from chassis.positions import Steps
    from chassis.timers import Timers

    around(PostgresStore, "_transaction", points, "commit.before", "commit.after")
    around(Applier, "_transaction", points, "apply.before", "apply.after")
    around(Steps, "move", points, "apply.moving", "apply.moved")
    around(Batch, "finish", points, "apply.finishing", "apply.before-commit")
    around(Timers, "_fire", points, "timers.before", "timers.after")
    for method in ("send", "send_batch"):
        around(AIOKafkaProducer, method, points, "produce.before", "produce.sent")
    _slowly(Applier, points)
    _marks(points)
    _effects(points)
    _answers(points)
    _keys(points)
    _swaps(points)


def _slowly(applier: Any, points: Points) -> None:
    inner = applier._transaction

    async def outer(*args: Any, **named: Any) -> Any:
        await points.rest()
        return await inner(*args, **named)

    applier._transaction = outer


def _marks(points: Points) -> None:
    """The relay moves its mark once all is acknowledged, effects move theirs once all of a batch is done.

    An effect that leaves nothing to record is marked as done, too.
    """
    from chassis.database import Database
    from chassis.effects import KEEP, MOVE
    from chassis.relay import MOVE_MARK

    inner = Database.rows
    marks = {
        MOVE_MARK: ("produce.after", "mark.after"),
        MOVE: ("effect.before-mark", "effect.after-mark"),
        KEEP: ("effect.acted", "effect.recorded"),
    }

    async def outer(self: Database, query: Any, *parameters: Any) -> Any:
        if not isinstance(query, bytes) or query not in marks:
            return await inner(self, query, *parameters)
        before, after = marks[query]
        points.at(before)
        found = await inner(self, query, *parameters)
        points.at(after)
        return found

    Database.rows = outer  # type: ignore[method-assign]


def _effects(points: Points) -> None:
    """An effect acts, then its outcome is recorded; a batch ends with its marks and Kafka's offsets."""
    from faststream.kafka import KafkaMessage

    from chassis.effects import Effects

    around(Effects, "act", points, "effect.before", "effect.done")
    around(KafkaMessage, "ack", points, "effect.before-ack", "effect.after-ack")


def _answers(points: Points) -> None:
    """What adapters record: the outcome of an effect, or what a watch found, whose file is then put aside."""
    from chassis.office import AdapterOffice
    from services.billing.adapters.folder import Folder

    inner, take = AdapterOffice.execute, Folder.take

    async def execute(self: Any, *args: Any) -> Any:
        watching = self._name in {watch.name for watch in self._ground.service.watches}
        points.at("answer.before" if watching else "effect.acted")
        found = await inner(self, *args)
        points.at("answer.recorded" if watching else "effect.recorded")
        return found

    def taken(self: Folder, name: str) -> None:
        take(self, name)
        points.at("answer.taken")

    AdapterOffice.execute = execute  # type: ignore[assignment,method-assign]
    Folder.take = taken  # type: ignore[method-assign]


def _keys(points: Points) -> None:
    """A key is issued where this process does not know it yet."""
    from keystore.keys import Keystore

    inner = Keystore.issue

    async def issue(self: Keystore, owner: str) -> Any:
        if f"{owner}.1" in self._cache:
            return await inner(self, owner)
        points.at("key.before")
        found = await inner(self, owner)
        points.at("key.issued")
        return found

    Keystore.issue = issue  # type: ignore[method-assign]


def _swaps(points: Points) -> None:
    """A rebuild puts its tables in the place of those that serve, and commits."""
    from operations import shadows
    from operations.rebuilding import Rebuild

    around(shadows, "swap", points, "swap.before", "swap.moved")
    around(Rebuild, "_swap", points, "swap.proved", "swap.committed")


class _Unasked:
    """Ownership of a process that asks nobody."""

    async def until(self, name: str) -> None:
        """At once."""

    def holds(self, name: str) -> bool:
        """Always."""
        return True


def relay_unasked() -> None:
    """Have this process relay beside the leader, whoever holds the lock."""
    from chassis.relay import Relay

    inner = Relay.__init__

    def outer(self: Relay, ground: Any, ownership: Any) -> None:
        inner(self, ground, ownership)
        self._ownership = _Unasked()  # type: ignore[assignment]

    Relay.__init__ = outer  # type: ignore[method-assign]
