"""A service that starts with a projection of a new version: ``python -m benchmarks.rebuilding``; prints JSON.

The settings come from the environment, as a service's do.
"""

from __future__ import annotations

import asyncio
import json
from time import perf_counter

import uvloop

from benchmarks.workload import KEEPER
from chassis.config import Settings
from chassis.runtime import Role, Runtime
from deploy.serving import set_up_logs


async def run(settings: Settings) -> float:
    """Seconds from the start until every projection is ready."""
    began = perf_counter()
    async with Runtime(KEEPER, settings, Role.API):
        return perf_counter() - began


if __name__ == "__main__":
    found = Settings()
    set_up_logs(KEEPER.name, found.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"seconds": runner.run(run(found))}))
