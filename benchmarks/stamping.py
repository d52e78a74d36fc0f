"""Stamps: when an event passes each step of its way, noted by wrapping the steps of a measured process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import UUID

from caretrail_contracts.cloudevents import Record

from chassis import feeds
from chassis.applying import Applier
from chassis.command import Answer, Commit
from chassis.group import PostgresStore, Waiting
from chassis.positions import OWN, Steps
from chassis.relay import Message, Relay
from chassis.runtime import Runtime

OURS = "clinical"
"""The service whose events are followed."""

Stamps = dict[str, dict[int, int]]
"""For each step the ns of the epoch at which a position passed it."""


def begin(path: Path) -> None:
    """Note the steps of this process; they are written when its runtime ends."""
    stamps: Stamps = {}
    _writer(stamps)
    _relay(stamps)
    _feed(stamps)
    end = Runtime.__aexit__

    async def ended(self: Runtime, *exit: object) -> None:
        path.write_text(json.dumps(stamps))
        await end(self, *exit)

    Runtime.__aexit__ = ended  # type: ignore[method-assign]


def _note(stamps: Stamps, step: str, positions: Sequence[int], at: int | None = None) -> None:
    passed = at or time_ns()
    found = stamps.setdefault(step, {})
    for position in positions:
        found.setdefault(position, passed)


def _writer(stamps: Stamps) -> None:
    queued: dict[UUID, int] = {}
    append, transaction = PostgresStore.append, PostgresStore._transaction

    async def appended(self: PostgresStore, commit: Commit) -> Answer:
        queued[commit.cause.command_id] = time_ns()
        return await append(self, commit)

    async def carried_out(self: PostgresStore, batch: list[Waiting]) -> list[Answer | Exception]:
        begun = time_ns()
        answers = await transaction(self, batch)
        for commit, answer in zip((packed.commit for packed, _ in batch), answers, strict=True):
            if isinstance(answer, Answer) and not answer.repeated and len(commit.facts) == 1:
                _note(stamps, "queued", [answer.position], queued.pop(commit.cause.command_id))
                _note(stamps, "begun", [answer.position], begun)
                _note(stamps, "committed", [answer.position])
        return answers

    PostgresStore.append = appended  # type: ignore[method-assign]
    PostgresStore._transaction = carried_out  # type: ignore[method-assign]


def _relay(stamps: Stamps) -> None:
    read, take = Relay.read, Relay.take

    async def has_read(self: Relay, after: int) -> Sequence[Message]:
        asked = time_ns()
        found = await read(self, after)
        positions = [message[0] for message in found]
        _note(stamps, "asked", positions, asked)
        _note(stamps, "read", positions)
        return found

    async def taken(self: Relay, found: Sequence[Message]) -> int:
        last = await take(self, found)
        _note(stamps, "marked", [message[0] for message in found])
        return last

    Relay.read = has_read  # type: ignore[method-assign]
    Relay.take = taken  # type: ignore[method-assign]


def _feed(stamps: Stamps) -> None:
    take, apply = feeds.TopicFeed._take, Applier.apply

    async def has_taken(self: feeds.TopicFeed, topic: str, found: dict[Any, list[feeds.Read]]) -> None:
        records = [record for read in found.values() for *_, record in read]
        _note(stamps, "fetched", [each.envelope.position for each in records if isinstance(each, Record)])
        await take(self, topic, found)

    async def has_applied(self: Applier, records: Sequence[Record], steps: Steps) -> None:
        theirs = [record.envelope.position for record in records if record.envelope.service == OURS]
        _note(stamps, "applying", theirs)
        await apply(self, records, steps)
        if steps.topic != OWN:
            _note(stamps, "visible", theirs)

    feeds.TopicFeed._take = has_taken  # type: ignore[method-assign]
    Applier.apply = has_applied  # type: ignore[method-assign]
