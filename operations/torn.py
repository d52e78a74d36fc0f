"""Torn commands: of their events, which lie in several partitions, only some were on the topic."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from caretrail_contracts.envelope import Envelope

from chassis.ids import derive


def torn(taken_in: Sequence[Envelope], head: int) -> tuple[list[UUID], list[UUID]]:
    """The commands of which an event is missing, and those of which one may be missing at the end.

    Told of what a store takes in above its head. A command's events are committed together, at positions
    that follow each other, and their ids derive from its id and from 0, 1, 2 … A position behind its last
    event that nobody holds, below others of the epoch, was its own or that of a command that is lost whole.
    """
    events, ends, held = dict[UUID, list[Envelope]](), dict[int, int](), set[int]()
    for about in sorted(taken_in, key=lambda about: about.position):
        events.setdefault(about.command_id, []).append(about)
        ends[about.epoch] = about.position
        held.add(about.position)
    surely, maybe = list[UUID](), list[UUID]()
    for id, found in events.items():
        last = found[-1]
        if (found[0].id, last.id) != (derive(id, 0), derive(id, len(found) - 1)):
            surely.append(id)
        elif head <= last.position < ends[last.epoch] and last.position + 1 not in held:
            maybe.append(id)
    return surely, maybe
