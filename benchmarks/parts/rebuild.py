"""A rebuild as a service does it: the whole log folded into shadow tables, proved and swapped in."""

from __future__ import annotations

import asyncio

from benchmarks import dataset
from benchmarks.figures import Figure
from benchmarks.lab import KEPT, Lab, environment, output
from benchmarks.memory import Sampled, sampled
from benchmarks.parts.append import PATIENTS
from benchmarks.parts.relay import library_rate
from benchmarks.trials import in_turn
from benchmarks.workload import KEEPER
from chassis.config import Settings

MEMORY = "rebuild-memory"


async def rebuild(lab: Lab) -> list[Figure]:
    """Replay the log, beside the library's runner, and by two processes beside one."""

    async def ours(_: int) -> float:
        return await _rebuilt(lab)

    async def shared(_: int) -> float:
        return await _rebuilt(lab, 2)

    async def reference(_: int) -> float:
        return await library_rate(lab)

    by_one, ran, by_two = await in_turn(lab.sizes.trials, ours, reference, shared)
    about = {"events": lab.sizes.rebuilt, "library_events": lab.sizes.library // 10 * 10}
    return [
        Figure("rebuild", by_one, ran, about=about),
        Figure("rebuild_2", by_two, by_one, about={"events": lab.sizes.rebuilt}),
    ]


async def memory_of_rebuild(lab: Lab) -> Sampled:
    """Resident memory through a rebuild; of this run's trials the middle one."""
    if MEMORY not in lab.memo:
        await _rebuilt(lab)
    found: list[Sampled] = lab.memo[MEMORY]
    return sorted(found, key=lambda trial: trial.growth_mib)[len(found) // 2]


async def _rebuilt(lab: Lab, processes: int = 1) -> float:
    """Events a second of one rebuild, its memory sampled beside."""
    settings, count = await _log(lab)
    samples = Sampled()
    async with sampled(samples):
        found = await output("rebuilding", processes, env=environment(settings))
    if processes == 1:
        lab.memo.setdefault(MEMORY, []).append(samples)
    return count / float(found["seconds"])


async def _log(lab: Lab) -> tuple[Settings, int]:
    """A log whose every event was applied; kept for later runs."""
    count = lab.sizes.rebuilt
    settings = await lab.prepare(f"{KEPT}-rebuild-{count}", KEEPER.name)
    with lab.admin(settings, KEEPER.name) as admin:
        [stored] = admin.execute("select count(*) from events").fetchone() or [0]
        if stored < count:
            admin.execute("truncate events, commands, positions")
            count = await asyncio.to_thread(dataset.events, admin, count, PATIENTS)
            admin.execute(APPLIED, (count,))
            admin.execute("checkpoint")
        else:
            count = stored
    return settings, count


APPLIED = "insert into positions values ('store', 0, 'urn:caretrail:clinical:main', 1, %s, null)"
