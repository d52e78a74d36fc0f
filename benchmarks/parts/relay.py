"""From the log to the topic, and from the topic to a projection's rows: the parts that services run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import psycopg
from caretrail_contracts.cloudevents import Record

from benchmarks import dataset
from benchmarks.figures import Figure
from benchmarks.lab import Lab
from benchmarks.parts.append import PATIENTS
from benchmarks.references import library, topic
from benchmarks.trials import in_turn
from benchmarks.workload import SHOWER, TELLER
from chassis.config import Settings
from chassis.office import Ground
from chassis.ownership import Ownership
from chassis.relay import Relay
from chassis.runtime import Role
from chassis.waking import waited

LOG = "relayed"
"""The log that is relayed, and the prefix of the topic it is relayed to first."""


async def relay(lab: Lab) -> list[Figure]:
    """Drain the log to a new topic in each trial, beside the same bytes sent by hand."""
    settings, count = await _log(lab)
    async with lab.runtime(TELLER, settings, Role.API) as runtime:
        found = topic.messages(await _records(runtime.ground, count))
        by_way: dict[str, list[float]] = {way: [] for way in topic.WAYS}

        async def ours(trial: int) -> float:
            return await _drained(lab, runtime.ground, f"{LOG}_{trial}", count)

        async def reference(trial: int) -> float:
            for way, rates in by_way.items():
                prefix = f"sent_{way}_{trial}"
                await lab.topics(prefix, ["clinical"])
                rates.append(await topic.send_rate(lab.kafka, f"{prefix}.clinical.events", found, way))
            return max(rates[-1] for rates in by_way.values())

        drained, sent = await in_turn(lab.sizes.trials, ours, reference)
    more = {f"reference_{way}": rates for way, rates in by_way.items()}
    return [Figure("relay", drained, sent, more=more, about={"events": count})]


async def project(lab: Lab) -> list[Figure]:
    """Read the topic into an empty projection in each trial, beside the library over as many events."""
    settings, count = await _log(lab)
    async with lab.runtime(TELLER, settings, Role.API) as runtime:
        await _drained(lab, runtime.ground, "shown", count)
        row = await runtime.ground.database.row(ENDS)
    assert row is not None
    shown = await lab.prepare("shown", "billing", topics=True)

    async def ours(_: int) -> float:
        return await _projected(lab, shown, count, row["position"])

    async def reference(_: int) -> float:
        return await library_rate(lab)

    projected, ran = await in_turn(lab.sizes.trials, ours, reference)
    about = {"events": count, "library_events": lab.sizes.library // 10 * 10}
    return [Figure("project_live", projected, ran, about=about)]


async def library_rate(lab: Lab) -> float:
    """Events a second of the library's runner over a fresh log; it waits for no disk, as ours does not."""
    name, charts = "library_projected", lab.sizes.library // 10
    url = lab.database(name)
    with library.charts(url) as app:
        await asyncio.to_thread(library.filled, app, charts)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"alter database {name} set synchronous_commit = off".encode())
    return await asyncio.to_thread(library.projected, url, charts * 10)


async def _log(lab: Lab) -> tuple[Settings, int]:
    """A log of committed events, filled once in a run."""
    if LOG not in lab.memo:
        settings = await lab.prepare(LOG, "clinical")
        with lab.admin(settings, "clinical") as admin:
            count = await asyncio.to_thread(dataset.events, admin, lab.sizes.relayed, PATIENTS)
        lab.memo[LOG] = settings, count
    found: tuple[Settings, int] = lab.memo[LOG]
    return found


async def _records(ground: Ground, count: int) -> Sequence[Record]:
    found: list[Record] = []
    while len(found) < count:
        found += await ground.store.read(len(found), 5_000)
    return found


async def _drained(lab: Lab, ground: Ground, prefix: str, count: int) -> float:
    """Events a second from the first look at the log until the mark stands at its head."""
    await lab.topics(prefix, ["clinical"])
    settings = ground.settings.model_copy(update={"topic_prefix": prefix})
    ground = replace(ground, settings=settings)
    ownership = Ownership(ground.database.url, "clinical")
    part = Relay(ground, ownership)
    async with ownership:
        await ownership.until(f"relay:{ground.topic}")
        began = perf_counter()
        async with part:
            await _until(ground, MARK, ground.topic, count)
            return count / (perf_counter() - began)


async def _projected(lab: Lab, settings: Settings, count: int, ends: int) -> float:
    """Events a second from the consumers' start until every partition is applied to its end."""
    with lab.admin(settings, "billing") as admin:
        admin.execute("truncate positions, projections")
        admin.execute("drop table if exists signed_notes")
    began = perf_counter()
    async with lab.runtime(SHOWER, settings, Role.CONSUMERS) as runtime:
        await _until(runtime.ground, APPLIED, "clinical", ends)
        elapsed = perf_counter() - began
        rows = await runtime.ground.database.rows("select count(*) from signed_notes")
        if rows[0]["count"] != count:
            raise RuntimeError(f"{count} events made {rows[0]['count']} rows")
    return count / elapsed


async def _until(ground: Ground, query: bytes, about: object, position: int) -> None:
    """Wait, woken by progress, until a position is reached."""
    while True:
        moved = ground.moved.next()
        row = await ground.database.row(query, about)
        if row and row["position"] == position:
            return
        await waited(moved, 0.25)


MARK = b"select position from relay_mark where topic = %s"
ENDS = (
    b"select sum(m)::bigint as position from (select max(position) as m from events group by partition) ends"
)
APPLIED = b"select sum(position)::bigint as position from positions where source like '%%:' || %s || ':%%'"
