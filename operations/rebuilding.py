"""Rebuilding: a projection is folded anew beside the one that serves, proved, and only then swapped in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from caretrail_contracts.envelope import PARTITIONS, topic_of
from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from chassis.config import Settings
from chassis.database import Connection, arrays, connect, fetch
from chassis.ownership import lock_number
from chassis.positions import OWN, Place, Spot
from chassis.projection import Projection
from chassis.service import Service
from operations import shadows
from operations.away import lasting
from operations.folding import Folder
from operations.job import Job, Vector, reference, shares, told
from operations.processes import Failed, failing, work
from operations.shadows import LIVE, PROOF, SHADOW, Sum

BATCH, PROOF_BATCH = 5_000, 1_777
"""Events of one transaction, and of one of the second fold: both sizes must give the same rows."""

NEARLY = 2_000
"""With at most so many positions to go, the rest is folded in this process instead of by workers."""

AT_LAST = 200
"""With at most so many, the feed is made to wait while they are folded."""

ROUNDS_MAX = 50
SWAPS_MAX = 20
LOCK_WAIT_MS = 2_000
"""How long a swap waits for readers of the old tables, while others wait behind it, before it tries again."""

STILL_MAX_S = 15.0
"""How long the feed waits while the rest is folded, before both go on and it is tried again."""

log = structlog.get_logger(__name__)


class Running(Exception):
    """A rebuild or verification of this projection is under way."""


@dataclass(frozen=True)
class Site:
    """Where a rebuild happens: a service, its settings, its database, the source of its own events."""

    service: Service
    settings: Settings
    url: str

    @property
    def source(self) -> str:
        """The source of the service's own events."""
        return f"urn:caretrail:{self.service.name}:{self.settings.cell}"

    def spots(self, projection: Projection) -> tuple[bool, set[str]]:
        """Whether a projection folds own events, and the topics from which it folds others'."""
        wanted = {event.service for event in projection.folds}
        others = set(self.service.sources()) - {self.service.name}
        names = others if "system" in wanted else others & wanted
        own = bool(wanted & {self.service.name, "system"})
        return own, {topic_of(name, self.settings.topic_prefix) for name in names}


@asynccontextmanager
async def exclusive(site: Site, projection: Projection) -> AsyncIterator[Connection]:
    """A connection that holds the right to rebuild a projection. Raises Running."""
    connection = await connect(site.url, application_name=f"{site.service.name}:rebuild")
    try:
        number = lock_number(f"rebuild:{projection.name()}")
        (row,) = await fetch(connection, "select pg_try_advisory_lock(%s) as got", number)
        if not row["got"]:
            raise Running(projection.name())
        yield connection
    finally:
        await connection.close()


class Rebuild:
    """One rebuild or verification, by the process that holds the projection's lock."""

    def __init__(self, site: Site, projection: Projection, connection: Connection) -> None:
        self._site, self._projection, self._connection = site, projection, connection
        self._run, self._processes, self._verifies = "", 1, False
        self._name = projection.name()

    async def plan(self, action: str, processes: int) -> None:
        """Go on with one that was interrupted, or begin anew."""
        self._verifies, self._processes = action == "verify", processes
        rows = await fetch(self._connection, "select * from rebuilds where projection = %s", self._name)
        same = [
            row
            for row in rows
            if row["ended_at"] is None
            and (row["action"], row["version"]) == (action, self._projection.version)
        ]
        if same and await shadows.there(self._connection, self._projection, SHADOW):
            self._run = str(same[0]["run"])
            await self._connection.execute(GO_ON, (processes, self._name))
            return
        self._run = str(uuid4())
        async with self._connection.transaction():
            await shadows.make(self._connection, self._projection, SHADOW)
            await shadows.drop(self._connection, self._projection, PROOF)
            for cleared in (CLEAR_PLACES, CLEAR_SKIPPED):
                await self._connection.execute(cleared, (self._name,))
            values = (self._name, self._run, action, self._projection.version, processes)
            await self._connection.execute(BEGIN, values)

    async def carry_out(self) -> dict[str, Any]:
        """The outcome, also kept; an interruption leaves the rebuild to be gone on with."""
        try:
            outcome = await lasting(self._proved, self._phase, self._site.settings.kafka_bootstrap)
        except Failed as error:
            outcome = {"outcome": "failed", **error.told}
        if outcome["outcome"] != "swapped":
            async with self._connection.transaction():
                await self._end(self._connection, outcome)
        log.info("projection_" + outcome["outcome"], projection=self._name, version=self._projection.version)
        return outcome

    async def _proved(self) -> dict[str, Any]:
        known = await self.known_version()
        again = known != self._projection.version
        if again and self._verifies:
            raise Failed(f"version {known} serves, and the code is of {self._projection.version}: rebuild it")
        vector = await self._vector(self._connection)
        await self._count(vector, folds=2 if again else 1)
        await self._fold(SHADOW, vector)
        if again:
            return await self._prove_new(vector)
        await self._catch_up()
        return await self._prove_same()

    async def give_up(self, why: str) -> None:
        """End it after a bug, so that it is not begun again and again."""
        async with self._connection.transaction():
            await self._end(self._connection, {"outcome": "failed", "why": f"{why}: see the service's log"})

    async def known_version(self) -> int | None:
        """The version of the tables that serve."""
        rows = await fetch(self._connection, "select version from projections where name = %s", self._name)
        return rows[0]["version"] if rows else None

    async def _prove_new(self, vector: Vector) -> dict[str, Any]:
        """Two folds of one history, with keys interleaved and batched otherwise, must come to the same."""
        await self._phase("proving")
        if not await shadows.there(self._connection, self._projection, PROOF):
            await shadows.make(self._connection, self._projection, PROOF)
        await self._fold(PROOF, vector)
        snapshot = await connect(self._site.url)
        try:
            await snapshot.execute("begin isolation level repeatable read read only")
            proof = await self._compared(snapshot, PROOF, vector)
        finally:
            await snapshot.close()
        if proof["outcome"] == "different":
            return proof
        await shadows.drop(self._connection, self._projection, PROOF)
        return await self._swap(proof)

    async def _prove_same(self) -> dict[str, Any]:
        """The shadows must equal the tables that serve, both as of one position vector."""
        await self._phase("comparing")
        snapshot = await connect(self._site.url)
        try:
            async with self._still() as (_, vector):
                await self._fold_here(vector, within_s=STILL_MAX_S)
                await self._assert_parked()
                # The snapshot is taken while nothing moves; what it shows is compared while the feed goes on.
                await snapshot.execute("begin isolation level repeatable read read only")
                await snapshot.execute("select 1")
            proof = await self._compared(snapshot, LIVE, vector)
        finally:
            await snapshot.close()
        if proof["outcome"] == "different" or self._verifies:
            return proof
        return await self._swap(proof)

    async def _compared(self, snapshot: Connection, against: str, vector: Vector) -> dict[str, Any]:
        shadow = await shadows.sums(snapshot, self._projection, SHADOW)
        other = await shadows.sums(snapshot, self._projection, against)
        proof = {"outcome": "equal", "against": against, "tables": _tables(shadow), **await self._counted()}
        if shadow == other:
            return proof
        proof["others"] = _tables(other)
        (row,) = await fetch(snapshot, "select pg_export_snapshot() as id")
        await self._phase("explaining")
        job = self._job(SHADOW, vector, tuple(range(PARTITIONS)), against=against, snapshot=row["id"])
        (explained,) = await work([job])
        return {**proof, "outcome": "different", "differences": explained}

    async def _swap(self, proof: dict[str, Any]) -> dict[str, Any]:
        """Fold what came since, and put the shadows in the place of the tables, in one transaction."""
        await self._phase("swapping")
        await shadows.index(self._connection, self._projection, SHADOW)
        for _ in range(SWAPS_MAX):
            await self._catch_up()
            try:
                async with self._still() as (still, vector):
                    await self._fold_here(vector, within_s=STILL_MAX_S)
                    await self._assert_parked()
                    outcome = {**proof, "outcome": "swapped", **await self._counted()}
                    await shadows.swap(still, self._projection)
                    await still.execute(VERSION, (self._name, self._projection.version))
                    await self._end(still, outcome)
                return outcome
            except LockNotAvailable:
                log.info("swap_waits_for_readers", projection=self._name)
        raise Failed(f"readers of {self._name} never let go of its tables: run it again")

    async def _end(self, connection: Connection, outcome: dict[str, Any]) -> None:
        """Keep the outcome and clear away, in the connection's transaction. Fenced by the run."""
        cursor = await connection.execute(END, (Jsonb(outcome), self._name, self._run))
        if cursor.rowcount != 1:
            raise Running(self._name)
        for target in (SHADOW, PROOF):
            await shadows.drop(connection, self._projection, target)

    @asynccontextmanager
    async def _still(self) -> AsyncIterator[tuple[Connection, Vector]]:
        """A transaction in which the service's positions, and so the tables that serve, do not move."""
        connection = await connect(self._site.url)
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = {LOCK_WAIT_MS}".encode())
                await connection.execute("lock table positions in share row exclusive mode")
                yield connection, await self._vector(connection)
        finally:
            await connection.close()

    async def _vector(self, connection: Connection) -> Vector:
        """How far the service has applied each source of the projection."""
        own, topics = self._site.spots(self._projection)
        rows = await fetch(connection, "select * from positions where position > 0")
        return {
            (row["topic"], row["partition"], row["source"]): Place(
                row["epoch"], row["position"], row["kafka_offset"]
            )
            for row in rows
            if (row["topic"] == OWN and own) or row["topic"] in topics
        }

    async def _places(self, target: str, vector: Vector) -> Vector:
        """How far a fold is in each partition of each source; those new in the vector begin."""
        spots = [spot for found in vector for spot in _split(found)]
        if spots:
            await self._connection.execute(NEW_PLACES, (self._name, self._run, target, *arrays(spots)))
        rows = await fetch(self._connection, PLACES, self._name, target)
        return {
            (r["topic"], r["partition"], r["source"]): Place(r["epoch"], r["position"], None) for r in rows
        }

    async def _fold(self, target: str, vector: Vector) -> None:
        """Fold up to a vector by worker processes, the partitions dealt out to them; a small rest here."""
        behind = self._behind(await self._places(target, vector), vector)
        if (behind <= NEARLY and self._processes == 1) or not behind:
            await self._fold_here(vector, target)
            return
        jobs = [
            self._job(target, vector, partitions, ordered=self._processes > 1)
            for partitions in shares(PARTITIONS, self._processes)
        ]
        await work(jobs)

    async def _fold_here(self, vector: Vector, target: str = SHADOW, within_s: float | None = None) -> None:
        """Fold up to a vector in this process: a small rest."""
        if self._behind(await self._places(target, vector), vector):
            job = self._job(target, vector, tuple(range(PARTITIONS)))
            async with failing(), asyncio.timeout(within_s):
                await Folder(job, self._projection).run()

    async def _catch_up(self) -> None:
        """Fold what came meanwhile, until so little is left that the feed can wait for it."""
        before = NEARLY + 1
        for _ in range(ROUNDS_MAX):
            vector = await self._vector(self._connection)
            behind = self._behind(await self._places(SHADOW, vector), vector)
            if behind > NEARLY:
                await self._fold(SHADOW, vector)
            else:
                await self._fold_here(vector)
            if behind <= AT_LAST or before <= behind <= NEARLY:
                return
            before = behind
        raise Failed(f"the feed applies faster than {self._name} is folded: use more processes")

    def _behind(self, places: Vector, vector: Vector) -> int:
        """Positions between a fold and a vector, at most."""
        lags = [
            place.position - places[spot].position
            if place.epoch == places[spot].epoch or not places[spot].epoch
            else NEARLY + 1
            for found, place in vector.items()
            for spot in _split(found)
        ]
        return max(lags, default=0)

    def _job(self, target: str, vector: Vector, partitions: tuple[int, ...], **more: Any) -> Job:
        site = self._site
        return Job(
            database=site.url, kafka=site.settings.kafka_bootstrap, service=site.service.name,
            source=site.source, projection=reference(self._projection), run=self._run, target=target,
            partitions=partitions, until=told(vector), by_partition=target == PROOF,
            batch=PROOF_BATCH if target == PROOF else BATCH, **more,
        )  # fmt: skip

    async def _assert_parked(self) -> None:
        """Raise Failed where a record that was skipped because it was parked is applied by now."""
        if await fetch(self._connection, REDRIVEN, self._name):
            raise Failed(f"records that were parked for {self._name} were redriven meanwhile: run it again")

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


def _split(spot: Spot) -> list[Spot]:
    """A spot by partition: the own store has one position, its history is folded by partition."""
    return [(OWN, part, spot[2]) for part in range(PARTITIONS)] if spot[0] == OWN else [spot]


def _tables(sums: dict[str, Sum]) -> dict[str, Any]:
    return {name: {"rows": found.rows, "checksum": found.checksum} for name, found in sums.items()}


BEGIN = b"""
insert into rebuilds (projection, run, action, version, processes, phase)
values (%s, %s, %s, %s, %s, 'folding')
on conflict (projection) do update set run = excluded.run, action = excluded.action,
    version = excluded.version, processes = excluded.processes, phase = excluded.phase, total = 0,
    started_at = clock_timestamp(),
    ended_at = null, outcome = null
"""
GO_ON = b"update rebuilds set processes = %s, phase = 'folding' where projection = %s"
END = b"""
update rebuilds set phase = 'ended', ended_at = clock_timestamp(), outcome = %s
where projection = %s and run = %s and ended_at is null
"""
VERSION = b"""
insert into projections (name, version) values (%s, %s)
on conflict (name) do update set version = excluded.version
"""
TOTAL = b"""
update rebuilds set total = %s * (
    (select count(*) from events where position <= %s and type = any(%s::text[])) + %s
) where projection = %s
"""
NEW_PLACES = b"""
insert into rebuild_places (projection, run, target, topic, partition, source)
select %s, %s, %s, * from unnest(%s::text[], %s::smallint[], %s::text[])
on conflict do nothing
"""
PLACES = b"select * from rebuild_places where projection = %s and target = %s"
COUNTED = b"""
select coalesce(sum(folded), 0)::bigint as folded
from rebuild_places where projection = %s and target = 'shadow'
"""
REDRIVEN = b"""
select 1 from rebuild_skipped s where s.projection = %s and not exists (
    select from parked p
    where p.handler = s.projection and (p.source, p.epoch, p.position) = (s.source, s.epoch, s.position)
) and not exists (
    select from discarded d
    where d.handler = s.projection and (d.source, d.epoch, d.position) = (s.source, s.epoch, s.position)
)
limit 1
"""
CLEAR_PLACES = b"delete from rebuild_places where projection = %s"
CLEAR_SKIPPED = b"delete from rebuild_skipped where projection = %s"
