"""Rebuilding: a projection is folded anew beside the one that serves, proved, and only then swapped in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import structlog
from caretrail_contracts.envelope import PARTITIONS
from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from chassis.database import Connection, connect, fetch
from chassis.office import Ground
from chassis.positions import OWN, Fenced
from chassis.projection import Projection
from operations import accepting, members, shadows
from operations.accepting import Acceptance
from operations.away import lasting
from operations.filling import Filling, Site
from operations.holding import Held, holding, while_held
from operations.job import Vector
from operations.processes import Failed, failing, work
from operations.shadows import LIVE, PROOF, SHADOW, Sum

SWAPS_MAX = 20
"""How often a swap waits for readers of the old tables before the rebuild fails."""

log = structlog.get_logger(__name__)


class Running(Exception):
    """A rebuild or verification of this projection is under way."""


@asynccontextmanager
async def exclusive(site: Site, projection: Projection, *, waits: bool = False) -> AsyncIterator[Connection]:
    """A connection that holds the right to rebuild a projection. Raises Running, unless it ``waits``."""
    lock, shown = f"rebuild:{projection.name()}", f"{site.service.name}:rebuild"
    try:
        async with holding(site.database, lock, shown, waits=waits) as connection:
            yield connection
    except Held:
        raise Running(projection.name()) from None


class Rebuild:
    """One rebuild or verification, by the process that holds the projection's lock.

    ``ground`` is what an accepted difference is recorded on: there once the service serves. ``alone`` says
    that processes of another release cannot fold into its tables: when these serve, they must not.
    """

    def __init__(
        self,
        site: Site,
        projection: Projection,
        connection: Connection,
        ground: Ground | None = None,
        *,
        alone: bool = False,
    ) -> None:
        self._site, self._projection, self._connection = site, projection, connection
        self._ground, self._verifies, self._name = ground, False, projection.name()
        self._alone = alone
        self._filling = Filling(site, projection, connection)

    async def plan(
        self, action: str, processes: int, acceptance: Acceptance | None = None, *, resumes: bool = False
    ) -> None:
        """Go on with one that was interrupted, or begin anew.

        What a person accepted is of one run: only who ``resumes`` it goes on with that, nobody who asks anew.
        """
        self._verifies, self._filling.processes = action == "verify", processes
        rows = await fetch(self._connection, "select * from rebuilds where projection = %s", self._name)
        same = [
            row
            for row in rows
            if row["ended_at"] is None
            and (row["action"], row["version"]) == (action, self._projection.version)
            and (resumes or (acceptance is None and row["accepted"] is None))
        ]
        if same and await shadows.there(self._connection, self._projection, SHADOW):
            self._filling.run = str(same[0]["run"])
            await self._connection.execute(GO_ON, (processes, self._name))
            return
        self._filling.run = str(uuid4())
        async with self._connection.transaction():
            # In the order in which those lock who may still be at an earlier run: it, its places, its tables.
            accepted = Jsonb(acceptance.told(self._filling.run)) if acceptance else None
            values = (self._name, self._filling.run, action, self._projection.version, processes, accepted)
            await self._connection.execute(BEGIN, (*values, self._name))
            for cleared in (CLEAR_PLACES, CLEAR_SKIPPED):
                await self._connection.execute(cleared, (self._name,))
            await shadows.make(self._connection, self._projection, SHADOW)
            await shadows.drop(self._connection, self._projection, PROOF)

    async def carry_out(self) -> dict[str, Any]:
        """The outcome, also kept; an interruption leaves the rebuild to be gone on with.

        Raises Running where another process goes on with it, and what a lost connection raises where that
        was the one with its lock.
        """
        try:
            work = lasting(self._in_turn, self._phase, self._site.settings.kafka_bootstrap)
            outcome = await while_held(self._connection, work)
        except Failed as error:
            outcome = {"outcome": "failed", **error.told}
        if outcome["outcome"] != "swapped":
            async with self._connection.transaction():
                await self._end(self._connection, outcome)
        log.info("projection_" + outcome["outcome"], projection=self._name, version=self._projection.version)
        return outcome

    async def _in_turn(self) -> dict[str, Any]:
        """Proved; gone on with where a worker that was ended wrote after all, fenced from then on."""
        while True:
            await self._take_turn()
            try:
                async with failing():
                    return await self._proved()
            except Fenced as error:
                log.warning("rebuild_goes_on", projection=self._name, error=str(error))

    async def _take_turn(self) -> None:
        """From here on only this one's workers move the run's places. Raises Running where it has ended."""
        async with self._connection.transaction():
            turns = await fetch(self._connection, TURN, self._name, self._filling.run)
            if not turns:
                raise Running(self._name)
            self._filling.turn = turns[0]["turn"]
            # Waits for what such a worker is just writing.
            await self._connection.execute(PLACES_TURN, (self._filling.turn, self._name))

    async def _proved(self) -> dict[str, Any]:
        known = await self.known_version()
        again = known != self._projection.version
        if again and self._verifies:
            raise Failed(f"what serves is not of version {self._projection.version} alone: rebuild it")
        vector = await self._filling.vector()
        await self._count(vector, folds=2 if again else 1)
        await self._filling.fold(SHADOW, vector)
        if again:
            return await self._prove_new(vector)
        await self._filling.catch_up()
        return await self._prove_same()

    async def give_up(self, why: str) -> None:
        """End it after a bug, so that it is not begun again and again."""
        async with self._connection.transaction():
            await self._end(self._connection, {"outcome": "failed", "why": f"{why}: see the service's log"})

    async def known_version(self) -> int | None:
        """The version of the tables that serve; None where they are mixed, or there are none."""
        rows = await fetch(self._connection, KNOWN, self._name)
        return rows[0]["version"] if rows else None

    async def _prove_new(self, vector: Vector) -> dict[str, Any]:
        """Nothing serves that a new version could be compared with."""
        proof = await self._folded_twice(vector)
        return proof if proof["outcome"] == "different" else await self._swap(proof)

    async def _folded_twice(self, vector: Vector) -> dict[str, Any]:
        """Two folds of one history, with keys interleaved and batched otherwise, must come to the same."""
        await self._phase("proving")
        if not await shadows.there(self._connection, self._projection, PROOF):
            await shadows.make(self._connection, self._projection, PROOF)
        await self._filling.fold(PROOF, vector)
        snapshot = await connect(self._site.database)
        try:
            await snapshot.execute("begin isolation level repeatable read read only")
            proof = await self._compared(snapshot, PROOF, vector)
        finally:
            await snapshot.close()
        if proof["outcome"] == "different":
            await self._filling.assert_parked()
        return proof

    async def _prove_same(self) -> dict[str, Any]:
        """The shadows must equal the tables that serve, both as of one position vector."""
        await self._phase("comparing")
        snapshot = await connect(self._site.database)
        try:
            async with self._filling.still() as (_, vector):
                # The snapshot is taken while nothing moves; what it shows is compared while the feed goes on.
                await snapshot.execute("begin isolation level repeatable read read only")
                await snapshot.execute("select 1")
            proof = await self._compared(snapshot, LIVE, vector)
        finally:
            await snapshot.close()
        if self._verifies:
            return proof
        return await (self._swap(proof) if proof["outcome"] == "equal" else self._differs(proof, vector))

    async def _differs(self, difference: dict[str, Any], vector: Vector) -> dict[str, Any]:
        """Swapped in only where somebody accepted it: what served proves nothing, so a second fold must."""
        acceptance = await accepting.acceptance_of(self._connection, self._filling.run)
        if acceptance is None:
            return difference
        await self._count(vector, folds=2)
        proof = await self._folded_twice(vector)
        return proof if proof["outcome"] == "different" else await self._swap(difference, acceptance)

    async def _compared(self, snapshot: Connection, against: str, vector: Vector) -> dict[str, Any]:
        shadow = await shadows.sums(snapshot, self._projection, SHADOW)
        other = await shadows.sums(snapshot, self._projection, against)
        proof = {"outcome": "equal", "against": against, "tables": _tables(shadow), **await self._counted()}
        if shadow == other:
            return proof
        proof["others"] = _tables(other)
        (row,) = await fetch(snapshot, "select pg_export_snapshot() as id")
        await self._phase("explaining")
        every = tuple(range(PARTITIONS))
        job = self._filling.job(SHADOW, vector, every, against=against, snapshot=row["id"])
        (explained,) = await work([job])
        return {**proof, "outcome": "different", "differences": explained}

    async def _swap(self, proof: dict[str, Any], acceptance: Acceptance | None = None) -> dict[str, Any]:
        """Fold what came since, and put the shadows in the place of the tables, in one transaction.

        With it is recorded who accepted that they differ.
        """
        await self._phase("swapping")
        await shadows.index(self._connection, self._projection, SHADOW)
        for _ in range(SWAPS_MAX):
            await self._filling.catch_up()
            try:
                async with self._filling.still() as (still, _):
                    outcome = {**proof, "outcome": "swapped", **await self._counted()}
                    if acceptance:
                        outcome["accepted"] = acceptance.by()
                    await self._close(still, outcome)
                    await shadows.swap(still, self._projection)
                    await shadows.drop(still, self._projection, PROOF)
                    await members.replaced(still, self._name, self._projection.version, alone=self._alone)
                    if acceptance:
                        await self._record(still, acceptance, proof)
                return outcome
            except LockNotAvailable:
                log.info("swap_waits_for_readers", projection=self._name)
        raise Failed(f"readers of {self._name} never let go of its tables: run it again")

    async def _record(self, still: Connection, acceptance: Acceptance, difference: dict[str, Any]) -> None:
        assert self._ground
        run, version = self._filling.run, self._projection.version
        event = accepting.event_of(self._name, version, run, difference, acceptance)
        await accepting.record(self._ground, still, event, acceptance)

    async def _end(self, connection: Connection, outcome: dict[str, Any]) -> None:
        """Keep the outcome and clear away, in the connection's transaction. Raises Running."""
        await self._close(connection, outcome)
        for target in (SHADOW, PROOF):
            await shadows.drop(connection, self._projection, target)

    async def _close(self, connection: Connection, outcome: dict[str, Any]) -> None:
        """Keep the outcome. Raises Running where another process goes on with the run, or it has ended."""
        filling = self._filling
        cursor = await connection.execute(END, (Jsonb(outcome), self._name, filling.run, filling.turn))
        if cursor.rowcount != 1:
            raise Running(self._name)

    async def _counted(self) -> dict[str, Any]:
        (row,) = await fetch(self._connection, COUNTED, self._name)
        return row

    async def _count(self, vector: Vector, folds: int) -> None:
        """Say how much there is to do: own events of the folded types, and others' records."""
        kinds = [event.type() for event in self._projection.folds]
        until = max((place.position for spot, place in vector.items() if spot[0] == OWN), default=0)
        records = sum((place.offset or 0) + 1 for spot, place in vector.items() if spot[0] != OWN)
        await self._connection.execute(TOTAL, (folds, until, kinds, records, self._name))

    async def _phase(self, phase: str) -> None:
        await self._connection.execute(
            "update rebuilds set phase = %s where projection = %s", (phase, self._name)
        )


def _tables(sums: dict[str, Sum]) -> dict[str, Any]:
    return {name: {"rows": found.rows, "checksum": found.checksum} for name, found in sums.items()}


KNOWN = b"select version from projections where name = %s and mixed_at is null"
BEGIN = b"""
insert into rebuilds (projection, run, action, version, processes, accepted, phase, mixed_at)
values (%s, %s, %s, %s, %s, %s, 'folding', (select mixed_at from projections where name = %s))
on conflict (projection) do update set run = excluded.run, action = excluded.action,
    version = excluded.version, processes = excluded.processes, accepted = excluded.accepted,
    phase = excluded.phase, total = 0, turn = 0, mixed_at = excluded.mixed_at,
    started_at = clock_timestamp(),
    ended_at = null, outcome = null
"""
GO_ON = b"update rebuilds set processes = %s, phase = 'folding' where projection = %s"
END = b"""
update rebuilds set phase = 'ended', ended_at = clock_timestamp(), outcome = %s, accepted = null
where projection = %s and run = %s and turn = %s and ended_at is null
"""
TURN = b"""
update rebuilds set turn = turn + 1 where projection = %s and run = %s and ended_at is null
returning turn
"""
PLACES_TURN = b"update rebuild_places set turn = %s where projection = %s"
TOTAL = b"""
update rebuilds set total = %s * (
    (select count(*) from events where position <= %s and type = any(%s::text[])) + %s
) where projection = %s
"""
COUNTED = b"""
select coalesce(sum(folded), 0)::bigint as folded
from rebuild_places where projection = %s and target = 'shadow'
"""
CLEAR_PLACES = b"delete from rebuild_places where projection = %s"
CLEAR_SKIPPED = b"delete from rebuild_skipped where projection = %s"
