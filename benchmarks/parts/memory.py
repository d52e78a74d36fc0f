"""Resident memory: of the six services as the local stack runs them, and of a rebuild."""

from __future__ import annotations

import asyncio
import json

from benchmarks.figures import Figure
from benchmarks.lab import Lab
from benchmarks.memory import resident_mib
from benchmarks.parts.rebuild import memory_of_rebuild
from deploy.local.programs import SERVICES
from deploy.local.stack import up


async def memory(lab: Lab) -> list[Figure]:
    """Each service idle; the largest one counts."""
    found: dict[str, list[float]] = {name: [] for name in SERVICES}
    settings = lab.settings("stack")
    async with up(settings):
        for _ in range(lab.sizes.trials):
            await asyncio.sleep(lab.sizes.idle_s / lab.sizes.trials)
            for name, values in found.items():
                about = json.loads((settings.home / "run" / f"{name}.json").read_text())
                values.append(resident_mib(about["pid"]))
    largest = [max(values) for values in zip(*found.values(), strict=True)]
    rebuild = await memory_of_rebuild(lab)
    more = {
        "idle_mib": largest,
        **{f"{name}_mib": values for name, values in found.items()},
        "rebuild_most_mib": [max(rebuild.mib)],
        "rebuild_growth_mib": [rebuild.growth_mib],
    }
    return [Figure("memory", largest, more=more, about={"idle_s": lab.sizes.idle_s})]
