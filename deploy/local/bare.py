"""The servers alone, for tests: ``python -m deploy.local.bare --home DIR``.

Prints their addresses as one line of JSON and runs until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from chassis.config import Settings
from deploy.local import postgres
from deploy.local.stack import servers
from deploy.local.supervisor import Supervisor

TUNED = postgres.SETTINGS | {"fsync": "off", "autovacuum": "off", "scram_iterations": "1"}
"""Databases come and go by the thousand, and none outlives its test. Nothing is lost but with the machine;
rounds of SCRAM make no password harder to guess that is a digest of a secret."""


async def run(home: Path) -> None:
    """Start, print, wait, stop."""
    supervisor, settings = Supervisor(home), Settings(home=home)
    found = await servers(home, settings, TUNED)
    try:
        await supervisor.start(*found.embedded)
        print(json.dumps({"kafka": found.kafka_bootstrap, "postgres": found.postgres_url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await supervisor.stop()
        if not settings.postgres_url:
            postgres.stop(home)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    asyncio.run(run(parser.parse_args().home))
