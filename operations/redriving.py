"""Redriving: a parked record, then all that wait behind it, applied in order by today's code."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from time import monotonic

from caretrail_contracts.cloudevents import Record
from caretrail_contracts.event import model_of
from caretrail_contracts.system import RecordRedriven
from caretrail_contracts.wording import describe

from chassis.applying import CONFLICTS_MAX, Parking, named, note
from chassis.batch import Batch, Handler
from chassis.command import Commit
from chassis.database import Connection, Row, fetch, is_lost
from chassis.office import Ground
from chassis.projection import Archive, Projection
from chassis.refusal import Conflict
from chassis.telemetry import RECORDS_PARKED
from operations.parked import NotParked, Person, WaitsBehind, first, handlers, record_of, still

CHUNK = 500
"""Records of one transaction at most: for so long the service's feeds wait."""

TURN_S = 5.0
"""After so long an answer is given; who asked asks again for the rest."""


class NoHandler(LookupError):
    """The service no longer has the handler for which a record is parked."""


@dataclass(slots=True)
class Redriven:
    """How many were applied, the first that is left, how many wait behind it, and what it failed of."""

    applied: int
    next: int | None
    waiting: int
    error: str | None = None


async def redrive(ground: Ground, id: int, person: Person) -> Redriven:
    """Apply the first record of a key to its handler, and those behind it, until one fails or time is up.

    Raises NotParked, WaitsBehind, NoHandler.
    """
    until, applied, next = monotonic() + TURN_S, 0, id
    while True:
        found = await _chunk(ground, next, person)
        found.applied = applied = applied + found.applied
        if found.next is None or found.error or monotonic() > until:
            return found
        next = found.next


async def _chunk(ground: Ground, id: int, person: Person) -> Redriven:
    """One transaction: all together where that goes well, else one by one up to the one that fails."""
    for careful, size in ((False, CHUNK), (True, CHUNK), (True, 1)):
        try:
            return await _decided(ground, id, person, size, careful)
        except (NotParked, WaitsBehind, NoHandler):
            raise
        except Exception as error:
            if is_lost(error):
                raise
            broken = error
    # What fails beside the handler, at the end of the transaction, is the record's fault all the same.
    async with still(ground) as connection:
        row = await first(connection, id)
        await fails(connection, row, broken)
        return await left(connection, row, 0, broken)


async def _decided(ground: Ground, id: int, person: Person, size: int, careful: bool) -> Redriven:
    for _ in range(CONFLICTS_MAX):
        try:
            async with still(ground) as connection:
                head = await first(connection, id)
                rows = await fetch(connection, NEXT, head["handler"], head["key"], size)
                batch = Batch(connection, ground)
                found = await _applied(ground, connection, batch, rows, person, careful)
        except Conflict:
            await asyncio.sleep(0)
            continue
        batch.committed()
        if found.applied and found.error:
            RECORDS_PARKED.labels(head["handler"]).inc()
        return found
    raise Conflict(f"a redrive was overtaken {CONFLICTS_MAX} times")


async def _applied(
    ground: Ground, connection: Connection, batch: Batch, rows: list[Row], person: Person, careful: bool
) -> Redriven:
    """Apply rows up to the first that fails: what they lead to, their deletion and the fact of it at once."""
    handler, done, failed = handler_of(ground, rows[0]["handler"]), [], None
    if isinstance(handler, Projection):
        await connection.execute(MIXES, (handler.name(), handler.version))
    async with nullcontext() if careful else connection.pipeline():
        for row in rows:
            if careful and (failed := await _attempt(batch, handler, row)):
                break
            if not careful:
                await _take(batch, handler, record_of(row))
            done.append(row["id"])
        await connection.execute(APPLIED, (done,))
        if done:
            batch.stage(fact(ground, rows[0], person))
        if failed:
            now, row = ground.clock.now(), rows[len(done)]
            await fails(connection, row, failed)
            if done:
                told = Parking(ground.service)
                batch.stage(told.event(row["handler"], record_of(row), describe(failed), now))
        await batch.finish()
    return await left(connection, rows[0], len(done), failed)


async def _attempt(batch: Batch, handler: Handler, row: Row) -> Exception | None:
    """Let the handler apply a record, or nothing: then gives what it raised."""
    try:
        record = record_of(row)
        wanted = wants(handler, record)
    except Exception as error:
        return error
    return await batch.attempt(handler, record) if wanted else None


async def _take(batch: Batch, handler: Handler, record: Record) -> None:
    if wants(handler, record):
        await batch.take(handler, record)


def wants(handler: Handler, record: Record) -> bool:
    """Whether today's code still gives a record of this type to the handler. Raises UnknownEvent."""
    if isinstance(handler, Archive):
        return True
    return model_of(record.envelope.type) in (
        handler.folds if isinstance(handler, Projection) else handler.events
    )


def handler_of(ground: Ground, name: str) -> Handler:
    """The handler of a name. Raises NoHandler."""
    found = handlers(ground.service)
    if name not in found:
        raise NoHandler(name)
    return found[name]


def fact(ground: Ground, row: Row, person: Person) -> Commit:
    """That a record, and what waited behind it, was applied after all, in the person's name."""
    about = record_of(row).envelope
    event = RecordRedriven(**named(row["handler"], about))
    cause = person.cause(ground, "redriven", row["handler"], about)
    return note(ground.service, cause, ground.clock.now(), "redriven", event, about)


async def fails(connection: Connection, row: Row, error: Exception) -> None:
    """Keep of a record that it was tried in vain."""
    await connection.execute(FAILS, (describe(error), row["id"]))


async def left(connection: Connection, row: Row, done: int, failed: Exception | None) -> Redriven:
    """What came of it, with what is left of the key."""
    (rest,) = await fetch(connection, LEFT, row["handler"], row["key"])
    return Redriven(done, rest["next"], max(rest["records"] - 1, 0), describe(failed) if failed else None)


NEXT = b"select * from parked where handler = %s and key = %s order by id limit %s"
APPLIED = b"delete from parked where id = any(%s)"
MIXES = b"""
update projections set mixed_at = clock_timestamp() where name = %s and version <> %s and mixed_at is null
"""
FAILS = b"update parked set error = %s, attempts = attempts + 1 where id = %s"
LEFT = b"select min(id) as next, count(*) as records from parked where handler = %s and key = %s"
