"""Parked records: which there are, what is in one, and the decision that one is never applied."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from caretrail_contracts.cloudevents import BrokenHeader, Record, from_headers
from caretrail_contracts.envelope import Actor, Envelope, topic_of
from caretrail_contracts.event import UnknownEvent
from caretrail_contracts.sealed import FreeText, Sealed
from caretrail_contracts.system import RecordDiscarded
from caretrail_contracts.wording import describe
from pydantic import ValidationError

from chassis.applying import named, note
from chassis.batch import Handler
from chassis.command import Cause
from chassis.database import Connection, Row, fetch, query
from chassis.ids import derive
from chassis.office import Ground
from chassis.service import Effect, Service
from keystore.keys import NoKey
from operations.holding import AT_LEISURE

LISTED_MAX = 1_000
"""Keys of one answer; the oldest come first."""

LOCK_WAIT_MS = 5_000
"""How long is waited for what the service applies at the moment."""

SEALED_TEXT = "‹sealed›"
_SEALED = frozenset({"kid", "nonce", "ct"})


class NotParked(LookupError):
    """No record is parked under this number, or no longer."""


class WaitsBehind(Exception):
    """The record is not the first of its key; ``first`` is the number of the one that is."""

    def __init__(self, first: int) -> None:
        super().__init__(str(first))
        self.first = first


class Busy(Exception):
    """Somebody else redrives this key at the moment."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides something, and for what purpose."""

    actor: Actor
    purpose: str

    def cause(self, ground: Ground, kind: str, handler: str, about: Envelope) -> Cause:
        """The cause of what is decided about a parked record, in the transaction that takes it away.

        After a restore the same record can be parked, and decided about, once more.
        """
        id = derive(ground.service.name, kind, handler, about.id, uuid4())
        return Cause(
            command_id=id,
            actor=self.actor,
            purpose=self.purpose,
            correlation_id=about.correlation_id,
            causation_id=about.id,
        )


def record_of(row: Row) -> Record:
    """The record as it was parked. Raises BrokenHeader."""
    headers = [(name, base64.b64decode(value)) for name, value in row["headers"].items()]
    return from_headers(headers, bytes(row["body"]))


@asynccontextmanager
async def still(ground: Ground) -> AsyncIterator[Connection]:
    """A transaction in which nothing of the service is applied or parked, by any of its processes.

    So a key is freed for all of them at once, and a rebuild compares what stands still.
    """
    async with ground.database.transaction() as connection:
        await connection.execute(AT_LEISURE)
        await connection.execute(f"set local lock_timeout = {LOCK_WAIT_MS}".encode())
        await connection.execute("lock table positions, parked in share row exclusive mode")
        yield connection


async def heads(ground: Ground, handler: str = "", after: int = 0) -> dict[str, Any]:
    """The first parked record of each handler and key, how many keys and records, and all handlers.

    Of one handler alone where it is named, and of those keys whose first record comes after a number.
    """
    (counted,) = await ground.database.rows(COUNTED, handler, after)
    rows = await ground.database.rows(PARKED, handler, after, LISTED_MAX)
    parked = [_shown(ground, row) for row in rows]
    names = {*handlers(ground.service), *(effect.name for effect in ground.service.effects)}
    return {**counted, "handlers": sorted(names), "parked": parked}


def handlers(service: Service) -> dict[str, Handler]:
    """The service's handlers that apply records in transactions, by name; its effects are none of them."""
    found: dict[str, Handler] = {type(archive).__name__: archive for archive in service.archives}
    found |= {projection.name(): projection for projection in service.projections}
    return found | {policy.name: policy for policy in service.policies.all}


def _shown(ground: Ground, row: Row) -> dict[str, Any]:
    """A parked record by its place; of its headers, those that say what it is."""
    headers = {name: base64.b64decode(value).decode() for name, value in row["headers"].items()}
    return {
        "id": row["id"],
        "service": ground.service.name,
        **{name: row[name] for name in ("handler", "key", "error", "attempts", "waiting")},
        "since": row["parked_at"],
        "event": {
            "id": row["event_id"],
            "type": headers.get("ce_type"),
            "version": headers.get("ce_eventversion"),
            "topic": topic_of(row["source"].split(":")[2], ground.settings.topic_prefix),
            "source": row["source"],
            "position": row["position"],
            "partition": headers.get("ce_partition"),
            "stream": headers.get("ce_stream"),
        },
    }


async def found(connection: Connection, id: int) -> Row:
    """A parked record, the number of the first of its key, and how many of the key there are behind it.

    Raises NotParked.
    """
    rows = await fetch(connection, ONE, id)
    if not rows:
        raise NotParked(id)
    return rows[0]


async def first(connection: Connection, id: int) -> Row:
    """A parked record that is the first of its key. Raises NotParked, WaitsBehind."""
    rows = await fetch(connection, FIRST, id)
    if not rows:
        raise NotParked(id)
    if rows[0]["first"] != id:
        raise WaitsBehind(rows[0]["first"])
    return rows[0]


async def contents(ground: Ground, id: int) -> tuple[dict[str, Any], Record | None]:
    """Headers and body of a parked record, what is sealed left so, and what today's code says of it.

    Raises NotParked.
    """
    async with ground.database.connection() as connection:
        row = await found(connection, id)
    trouble, record = None, None
    try:
        record = record_of(row)
        record.decode()
    except (BrokenHeader, UnknownEvent, ValidationError, LookupError) as error:
        trouble = describe(error)
    headers = {name: base64.b64decode(value).decode() for name, value in row["headers"].items()}
    shown = _shown(ground, row) | {"first": row["first"], "headers": headers, "unreadable": trouble}
    try:
        body = _unopened(json.loads(bytes(row["body"])))
    except (ValueError, RecursionError):
        return shown | {"body": None, "body_bytes": len(row["body"])}, record
    return shown | {"body": body, "body_bytes": len(row["body"])}, record


def _unopened(value: Any) -> Any:
    """A JSON value with a word in the place of each sealed one."""
    if isinstance(value, dict):
        if value.keys() == _SEALED:
            return SEALED_TEXT
        return {name: _unopened(part) for name, part in value.items()}
    return [_unopened(part) for part in value] if isinstance(value, list) else value


async def discard(ground: Ground, id: int, reason: str, person: Person) -> dict[str, Any]:
    """Decide that the first parked record of a key is never applied; what waits behind it goes on waiting.

    Gives how many wait, and the number of the first of them. Raises NotParked, WaitsBehind.
    """
    async with ground.database.connection() as connection:
        about = record_of(await first(connection, id)).envelope
    sealed = await _sealed(ground, about, reason)
    async with still(ground) as connection:
        row = await first(connection, id)
        event = RecordDiscarded(**named(row["handler"], about), error=row["error"], reason=sealed)
        cause = person.cause(ground, "discarded", row["handler"], about)
        await connection.execute("delete from parked where id = %s", (id,))
        place = (about.source, about.epoch, about.position)
        await connection.execute(DISCARDED, (row["handler"], *place, about.id))
        if effect_of(ground, row["handler"]):
            await connection.execute(DONE, (row["handler"], about.id))
        rest = await fetch(connection, REST, row["handler"], row["key"])
        commit = note(ground.service, cause, ground.clock.now(), "discarded", event, about)
        (written,) = await ground.store.appender.append(connection, [ground.store.appender.pack(commit)])
        if isinstance(written, Exception):
            raise written
    ground.store.appended.give()
    ground.moved.give()
    return {"discarded": id, **rest[0]}


def effect_of(ground: Ground, name: str) -> Effect | None:
    """The service's effect of a name; None where the handler is another."""
    return next((effect for effect in ground.service.effects if effect.name == name), None)


async def _sealed(ground: Ground, about: Envelope, reason: str) -> Sealed[FreeText]:
    """Words about a record: sealed under its patient's key, else, where there is none, the service's."""
    own = f"service:{ground.service.name}"
    try:
        return await ground.doors.seal(about.patient or own, FreeText(reason))
    except NoKey:
        return await ground.doors.seal(own, FreeText(reason))


PARKED = query("parked", "operations")
COUNTED = b"""
select count(*) as keys, coalesce(sum(records), 0)::bigint as records from (
    select count(*) as records from parked where %s in ('', handler) group by handler, key having min(id) > %s
) as h
"""
ONE = b"""
select p.*, h.first, h.waiting from parked p cross join lateral (
    select min(q.id) as first, count(*) filter (where q.id > p.id) as waiting
    from parked q where q.handler = p.handler and q.key = p.key
) as h
where p.id = %s
"""
FIRST = b"""
select p.*, (select min(q.id) from parked q where q.handler = p.handler and q.key = p.key) as first
from parked p where p.id = %s
"""
"""Without how many wait: who goes from record to record would count them each time."""
REST = b"select count(*) as waiting, min(id) as next from parked where handler = %s and key = %s"
DISCARDED = b"""
insert into discarded (handler, source, epoch, position, event_id) values (%s, %s, %s, %s, %s)
on conflict do nothing
"""
DONE = b"insert into effects_done (effect, event_id) values (%s, %s) on conflict do nothing"
