"""Effecting: an effect whose record is parked is done after all, then those that wait behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from chassis.database import Row, fetch, is_lost
from chassis.office import Ground
from chassis.ownership import lock_number
from chassis.service import Effect
from operations.parked import Busy, Person, first, record_of, still
from operations.redriving import APPLIED, NEXT, TURN_S, Redriven, fact, fails, left

if TYPE_CHECKING:
    from chassis.effects import Effects


async def carry_out(effects: Effects, ground: Ground, effect: Effect, id: int, person: Person) -> Redriven:
    """Do the effect of the first record of a key, and of those behind it, until one fails or time is up.

    Like those that come from the topic: at least once, recorded once. Raises NotParked, WaitsBehind, Busy.
    """
    until, done = monotonic() + TURN_S, 0
    async with _alone(ground, id) as row:
        while True:
            broken = await _one(effects, ground, effect, row, None if done else person)
            done += not broken
            async with ground.database.connection() as connection:
                rest = await fetch(connection, NEXT, row["handler"], row["key"], 1)
                if not rest or broken or monotonic() > until:
                    return await left(connection, row, done, broken)
            [row] = rest


@asynccontextmanager
async def _alone(ground: Ground, id: int) -> AsyncIterator[Row]:
    """The first record of a key, while nobody else redrives the key. Raises Busy."""
    async with ground.database.connection() as connection:
        row = await first(connection, id)
        lock = lock_number(f"redrive:{row['handler']}:{row['key']}")
        (taken,) = await fetch(connection, "select pg_try_advisory_lock(%s) as got", lock)
        if not taken["got"]:
            raise Busy
        try:
            # What was done before the lock was taken is no longer there.
            yield await first(connection, id)
        finally:
            await connection.execute("select pg_advisory_unlock(%s)", (lock,))


async def _one(
    effects: Effects, ground: Ground, effect: Effect, row: Row, person: Person | None
) -> Exception | None:
    """Do one, then take it from the parked ones; ``person`` is told of in the log. Gives what it raised."""
    broken: Exception | None = None
    try:
        record = record_of(row)
        if not (await effects.stands(effect, record))["done"]:
            await effects.act(effect, record, [])
    except Exception as error:
        if is_lost(error):
            raise
        broken = error
    async with still(ground) as connection:
        if broken:
            await fails(connection, row, broken)
        else:
            await connection.execute(APPLIED, ([row["id"]],))
            if person:
                appender = ground.store.appender
                await appender.append(connection, [appender.pack(fact(ground, row, person))])
    ground.store.appended.give()
    ground.moved.give()
    return broken
