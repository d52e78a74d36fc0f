"""What a desk begins by itself: the rebuild of a version that waits, once; what was interrupted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from chassis.part import Part
from chassis.service import Watch
from chassis.watching import Watcher
from operations import desk, members
from operations.answering import answering
from operations.away import Silent
from operations.desk import Desk, due
from web.problems import Problem


def row(serves: int | None = 1, **more: Any) -> dict[str, Any]:
    """A projection of version 2 with its last or present rebuild."""
    last = {"phase": None, "run_version": None, "action": None, "ended_at": None, "processes": None}
    last["run_mixed_at"] = None
    return {"name": "Counts", "serves": serves, "version": 2, "mixed_at": None, **last, **more}


def run(action: str, version: int, ended: bool) -> dict[str, Any]:
    about = {"action": action, "run_version": version, "processes": 3, "run_mixed_at": 5}
    return {**about, "phase": "ended" if ended else "folding", "ended_at": "now" if ended else None}


@pytest.mark.parametrize(
    ("state", "begun"),
    [
        (row(None), None),
        (row(2), None),
        (row(2, **run("verify", 2, ended=True)), None),
        (row(2, **run("verify", 2, ended=False)), ("verify", 3)),
        (row(2, **run("rebuild", 1, ended=False)), ("rebuild", 3)),
        (row(2, **run("rebuild", 3, ended=False)), None),
        (row(2, **run("rebuild", 2, ended=False)), ("rebuild", 3)),
        (row(), ("rebuild", 1)),
        (row(**run("rebuild", 1, ended=True)), ("rebuild", 1)),
        (row(**run("rebuild", 2, ended=True)), None),
        (row(**run("rebuild", 2, ended=False)), ("rebuild", 3)),
        (row(**run("verify", 2, ended=True)), ("rebuild", 1)),
        (row(**run("verify", 2, ended=False)), ("rebuild", 1)),
        (row(**run("verify", 1, ended=False)), ("rebuild", 1)),
        (row(mixed_at=5, **run("rebuild", 2, ended=True)), None),
        (row(2, mixed_at=4), ("rebuild", 1)),
        (row(2, mixed_at=5, **run("rebuild", 2, ended=True)), None),
        (row(2, mixed_at=4, **run("rebuild", 2, ended=True)), ("rebuild", 1)),
        (row(2, mixed_at=6, **run("rebuild", 2, ended=True)), ("rebuild", 1)),
        (row(2, mixed_at=6, **run("rebuild", 2, ended=False)), ("rebuild", 3)),
        (row(2, mixed_at=6, **run("verify", 2, ended=False)), ("rebuild", 1)),
    ],
)
def test_only_a_rebuild_of_the_version_that_waits_counts_as_tried(
    state: dict[str, Any], begun: tuple[str, int] | None
) -> None:
    assert due(state, mixed=False) == begun
    assert due(state, mixed=True) is None, "of two releases at once none is rebuilt"


@pytest.mark.parametrize("error", [TimeoutError(), Silent("t gave nothing"), ConnectionRefusedError()])
def test_a_kafka_that_does_not_answer_is_the_answer(error: Exception) -> None:
    with pytest.raises(Problem) as raised, answering():
        raise error
    assert (raised.value.status, raised.value.rule) == (503, "KafkaAway")


@pytest.mark.parametrize("kind", [Desk, Watcher])
async def test_who_was_not_told_that_it_is_cancelled_rests_no_more(
    monkeypatch: pytest.MonkeyPatch, kind: type[Part]
) -> None:
    """As by what waits for a pool's connection that comes at that moment."""
    looks = asyncio.Event()

    async def look(*_: Any) -> Any:
        looks.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return 0

    async def nothing(*_: Any) -> None:
        """Is there for all that is not looked at here."""

    monkeypatch.setattr(desk, "LOOK_S", 60)
    monkeypatch.setattr(desk, "database_url", lambda *_: "")
    monkeypatch.setattr(members, "is_seen", look)
    monkeypatch.setattr(Desk, "_stand_aside", nothing)
    about: Any = MagicMock()
    ownership: Any = SimpleNamespace(until=nothing)
    ownership.claim = lambda *_: ownership
    made: dict[type[Part], Part] = {
        Desk: Desk(about, ownership, resumes=True),
        Watcher: Watcher(about, Watch("w", 60, look), ownership),
    }
    async with asyncio.timeout(5), made[kind]:
        await looks.wait()
