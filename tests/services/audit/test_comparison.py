"""Positions that store and ledger both lack are named, but for the room before an epoch's opening."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

import pytest
from caretrail_contracts.envelope import PARTITIONS

from chassis.ids import derive
from operations.opening import ROOM
from services.audit.domain import comparison
from services.audit.domain.comparison import Comparison, Held

HEAD = 4
FIRST = HEAD + ROOM + 1
"""Where an epoch that follows on the head is opened."""

BEFORE = {position: 1 for position in range(1, HEAD + 1)}
OPENED = range(FIRST, FIRST + PARTITIONS)


def opening(epoch: int, positions: Iterable[int]) -> dict[int, int]:
    return {position: -epoch for position in positions}


def found(held: dict[int, int], passed: int = 0, page: int = 5) -> list[str]:
    """What is named where both hold these: an epoch for each position, negative for its opening's."""
    lasts, events = dict[tuple[int, int], int](), list[Held]()
    for position, epoch in sorted(held.items()):
        key, command = (abs(epoch), position % PARTITIONS), uuid4()
        events.append(
            Held(
                id=str(derive(command, 0)),
                command_id=str(command),
                stream=f"{'referral' if epoch > 0 else 'epoch'}-{uuid4()}",
                stream_version=1,
                epoch=abs(epoch),
                position=position,
                partition=position % PARTITIONS,
                digest="d",
                prev=lasts.get(key),
            )
        )
        lasts[key] = position
    compared = Comparison("intake")
    for at in range(0, len(events), page):
        compared.take(events[at : at + page], events[at : at + page])
    compared.conclude(max(held, default=0), passed)
    return [difference.kind for difference in compared.differences]


def neither(first: int, last: int) -> str:
    return f"positions {first} to {last} are held by neither"


def test_the_room_is_what_an_opening_leaves() -> None:
    assert comparison.ROOM == ROOM


@pytest.mark.parametrize("late", [[], [HEAD + 1], [HEAD + 2, HEAD + 5, HEAD + 900]])
def test_the_room_before_an_opening_is_passed_over_whatever_came_late(late: list[int]) -> None:
    held = BEFORE | dict.fromkeys(late, 1) | opening(2, OPENED) | {FIRST + PARTITIONS: 2}
    assert found(held) == []
    again = FIRST + PARTITIONS + ROOM + 1
    assert found(held | opening(3, range(again, again + PARTITIONS))) == []


def test_a_log_may_begin_with_an_opening_and_end_with_one() -> None:
    assert found(opening(2, range(ROOM + 1, ROOM + 1 + PARTITIONS)), passed=ROOM + PARTITIONS) == []


def test_what_is_gone_before_the_room_or_behind_the_opening_is_named() -> None:
    after = {FIRST + PARTITIONS + more: 2 for more in range(3)}
    held = BEFORE | opening(2, OPENED) | after
    lacking = {position: epoch for position, epoch in held.items() if position not in (2, 4, FIRST + 13)}
    assert found(lacking) == [neither(2, 2), neither(4, 4), neither(FIRST + 13, FIRST + 13)]
    assert found(held, passed=max(after) + 2) == [neither(max(after) + 1, max(after) + 2)]


def test_a_gap_of_any_size_without_an_opening_behind_it_is_named() -> None:
    assert found(BEFORE | {FIRST: 1}) == [neither(HEAD + 1, FIRST - 1)]
    assert found(BEFORE | {FIRST: 2}) == [neither(HEAD + 1, FIRST - 1)]
    assert neither(HEAD + 1, FIRST - 1) in found(BEFORE | opening(1, OPENED))


@pytest.mark.parametrize("gone", [OPENED[0], OPENED[5], OPENED[-1]])
def test_an_opening_that_lacks_an_event_is_named(gone: int) -> None:
    held = BEFORE | opening(2, OPENED) | {FIRST + PARTITIONS: 2}
    del held[gone]
    assert "of the opening of epoch 2 events are held by neither" in found(held, passed=max(held))


@pytest.mark.parametrize("sent", [[0], [11], [2, 6], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
def test_an_opening_that_was_sent_in_part_and_given_up_is_none_of_it(sent: list[int]) -> None:
    """The next start finds it in the topic, takes it in, and opens the next epoch."""
    partly = [FIRST + number for number in sent]
    again = max(partly) + ROOM + 1
    whole = opening(3, range(again, again + PARTITIONS))
    assert found(BEFORE | opening(2, partly) | whole) == []
    assert found(BEFORE | opening(2, [*partly, FIRST + 40]) | whole) != []
