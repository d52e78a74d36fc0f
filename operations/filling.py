"""Filling: tables of a rebuild's own, folded as far as its service has applied, while that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from caretrail_contracts.envelope import PARTITIONS, topic_of

from chassis.config import Settings
from chassis.database import Connection, arrays, connect, fetch
from chassis.positions import OWN, Place, Spot
from chassis.projection import Projection
from chassis.service import Service
from operations.away import KAFKA, MOMENT, Away, answers
from operations.folding import Folder
from operations.holding import in_transactions, probed
from operations.job import Job, Vector, reference, shares, told
from operations.processes import Failed, failing, work
from operations.shadows import PROOF, SHADOW

BATCH, PROOF_BATCH = 5_000, 1_777
"""Events of one transaction, and of one of the second fold: both sizes must give the same rows."""

NEARLY = 2_000
"""With at most so many positions to go, the rest is folded in this process instead of by workers."""

AT_LAST = 200
"""With at most so many, the feed is made to wait while they are folded."""

ROUNDS_MAX = 50
LOCK_WAIT_MS = 2_000
"""How long a swap waits for readers of the old tables, while others wait behind it, before it tries again."""

STILL_MAX_S = 15.0
"""How long the feed waits while the rest is folded, before both go on and it is tried again."""

LATE_MAX = 5
"""How often the rest may take longer than that, before the rebuild fails."""


class Late(Exception):
    """The rest was not folded while the feed waited."""


@dataclass(frozen=True)
class Site:
    """Where a rebuild happens: a service, its settings, its database, the source of its own events."""

    service: Service
    settings: Settings
    url: str

    @property
    def database(self) -> str:
        """The address of its database, for connections that may have nothing to say for long."""
        return probed(self.url)

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


class Filling:
    """The folds of one run, into a schema each; ``run`` and ``processes`` are told when it is planned.

    ``turn`` counts who began or went on with the run: only the last one's workers move its places.
    """

    def __init__(self, site: Site, projection: Projection, connection: Connection) -> None:
        self._site, self._projection, self._connection = site, projection, connection
        self._name = projection.name()
        self.run, self.turn, self.processes, self._late = "", 0, 1, 0

    async def vector(self, connection: Connection | None = None) -> Vector:
        """How far the service has applied each source of the projection."""
        own, topics = self._site.spots(self._projection)
        rows = await fetch(connection or self._connection, "select * from positions where position > 0")
        return {
            (row["topic"], row["partition"], row["source"]): Place(
                row["epoch"], row["position"], row["kafka_offset"]
            )
            for row in rows
            if (row["topic"] == OWN and own) or row["topic"] in topics
        }

    async def fold(self, target: str, vector: Vector) -> None:
        """Fold up to a vector by worker processes, the partitions dealt out to them; a small rest here.

        Raises Failed, Away, Fenced.
        """
        behind = self._behind(await self._places(target, vector), vector)
        if (behind <= NEARLY and self.processes == 1) or not behind:
            await self._fold_here(vector, target)
            return
        jobs = [
            self.job(target, vector, partitions, ordered=self.processes > 1)
            for partitions in shares(PARTITIONS, self.processes)
        ]
        await work(jobs)

    async def catch_up(self) -> None:
        """Fold what came meanwhile, until so little is left that the feed can wait for it.

        Raises Failed, Away, Fenced.
        """
        before = NEARLY + 1
        for _ in range(ROUNDS_MAX):
            vector = await self.vector()
            behind = self._behind(await self._places(SHADOW, vector), vector)
            if behind > NEARLY:
                await self.fold(SHADOW, vector)
            else:
                await self._fold_here(vector)
            if behind <= AT_LAST or before <= behind <= NEARLY:
                return
            before = behind
        raise Failed(f"the feed applies faster than {self._name} is folded: use more processes")

    @asynccontextmanager
    async def still(self) -> AsyncIterator[tuple[Connection, Vector]]:
        """A transaction in which the tables that serve do not move, and the shadows are as far as they.

        Raises Failed, Away, Fenced, LockNotAvailable.
        """
        connection = await connect(self._site.database, options=in_transactions())
        try:
            async with connection.transaction():
                await connection.execute(LOCK_WAIT)
                await connection.execute("lock table positions in share row exclusive mode")
                vector = await self.vector(connection)
                try:
                    async with asyncio.timeout(STILL_MAX_S):
                        await self._fold_here(vector)
                except TimeoutError:
                    raise Late from None
                await self._assert_there(vector)
                await self.assert_parked()
                yield connection, vector
        except Late:
            await self._was_late()
        finally:
            await connection.close()

    async def _was_late(self) -> NoReturn:
        """The rest was not folded in time, and the feed goes on; Kafka may be why. Raises Away, Failed."""
        if self._site.spots(self._projection)[1] and not await answers(self._site.settings.kafka_bootstrap):
            raise Away(KAFKA, Late.__name__)
        self._late += 1
        if self._late < LATE_MAX:
            raise Away(MOMENT, Late.__name__)
        raise Failed(
            f"the last events could not be folded into {self._name} within {STILL_MAX_S:.0f} s, in which the"
            f" feed waits, in {LATE_MAX} tries: run it again when the database has less to do"
        )

    def job(self, target: str, vector: Vector, partitions: tuple[int, ...], **more: Any) -> Job:
        """A share of a fold into a schema, or of what is to be explained."""
        site = self._site
        return Job(
            database=site.database, kafka=site.settings.kafka_bootstrap, service=site.service.name,
            source=site.source, projection=reference(self._projection), run=self.run, turn=self.turn,
            target=target, partitions=partitions, until=told(vector), by_partition=target == PROOF,
            batch=PROOF_BATCH if target == PROOF else BATCH, **more,
        )  # fmt: skip

    async def _places(self, target: str, vector: Vector) -> Vector:
        """How far a fold is in each partition of each source; those new in the vector begin."""
        spots = [spot for found in vector for spot in _split(found)]
        if spots:
            await self._connection.execute(
                NEW_PLACES, (self._name, self.run, self.turn, target, *arrays(spots))
            )
        rows = await fetch(self._connection, PLACES, self._name, target)
        return {
            (r["topic"], r["partition"], r["source"]): Place(r["epoch"], r["position"], None) for r in rows
        }

    async def _fold_here(self, vector: Vector, target: str = SHADOW) -> None:
        """Fold up to a vector in this process: a small rest."""
        if self._behind(await self._places(target, vector), vector):
            job = self.job(target, vector, tuple(range(PARTITIONS)))
            async with failing():
                await Folder(job, self._projection).run()

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

    async def _assert_there(self, vector: Vector) -> None:
        """Raise Failed where the shadows are not as far as the service, as where a position was set back.

        Swapped in, they would get events twice, or never.
        """
        applied = {spot: place for found, place in vector.items() for spot in _split(found)}
        for spot, at in (await self._places(SHADOW, vector)).items():
            place = applied.get(spot, NOWHERE)
            if (at.epoch, at.position) != (place.epoch, place.position):
                where = f"{spot[0]}[{spot[1]}] up to {at.position}, and {place.position} is applied"
                raise Failed(f"{self._name} was folded of {where}: run it again")

    async def assert_parked(self) -> None:
        """Raise Failed where a record that was skipped because it was parked is applied by now."""
        if await fetch(self._connection, REDRIVEN, self._name):
            raise Failed(f"records that were parked for {self._name} were redriven meanwhile: run it again")


def _split(spot: Spot) -> list[Spot]:
    """A spot by partition: the own store has one position, its history is folded by partition."""
    return [(OWN, part, spot[2]) for part in range(PARTITIONS)] if spot[0] == OWN else [spot]


LOCK_WAIT = f"set local lock_timeout = {LOCK_WAIT_MS}".encode()
NOWHERE = Place(0, 0, None)
NEW_PLACES = b"""
insert into rebuild_places (projection, run, turn, target, topic, partition, source)
select %s, %s, %s, %s, * from unnest(%s::text[], %s::smallint[], %s::text[])
on conflict do nothing
"""
PLACES = b"select * from rebuild_places where projection = %s and target = %s"
REDRIVEN = b"""
select 1 from rebuild_skipped s where s.projection = %s and not exists (
    select from parked p
    where p.handler = s.projection and (p.source, p.epoch, p.position) = (s.source, s.epoch, s.position)
) and not exists (
    select from discarded d
    where d.handler = s.projection and (d.source, d.position) = (s.source, s.position)
)
limit 1
"""
