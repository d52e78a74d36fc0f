"""A rebuild with its proof and swap: ``python -m benchmarks.rebuilding PROCESSES``; prints JSON.

The settings come from the environment, as a service's do.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

import uvloop

from benchmarks.workload import KEEPER
from chassis.config import Settings, database_url
from chassis.runtime import Role, Runtime
from deploy.logs import set_up_logs
from operations.filling import Site
from operations.rebuilding import Rebuild, exclusive
from operations.starting import first


async def run(settings: Settings, processes: int) -> float:
    """Seconds from the plan to the swap. Raises RuntimeError where it does not come to that."""
    await first(KEEPER, settings)
    async with Runtime(KEEPER, settings, Role.API):
        [projection] = KEEPER.projections
        site = Site(KEEPER, settings, database_url(settings, KEEPER.name))
        async with exclusive(site, projection) as connection:
            began = perf_counter()
            rebuild = Rebuild(site, projection, connection)
            await rebuild.plan("rebuild", processes)
            outcome = await rebuild.carry_out()
            if outcome["outcome"] != "swapped":
                raise RuntimeError(f"the rebuild ended otherwise: {outcome}")
            return perf_counter() - began


if __name__ == "__main__":
    found = Settings()
    set_up_logs(KEEPER.name, found.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"seconds": runner.run(run(found, int(sys.argv[1])))}))
