"""Where an event's time goes from a command to another service's row: ``python -m benchmarks.breakdown``.

Two processes with every role, 200 commands a second; prints each step's time in ms, and
what depends less on how busy the machine is: CPU times, and how often the log of the database was synced.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from pathlib import Path
from time import time

import psycopg

from benchmarks.lab import Lab, lab, output
from benchmarks.parts.delivery import RATE
from benchmarks.sizes import SIZES
from benchmarks.stamping import Stamps
from benchmarks.trials import percentile

STEPS = (
    ("queued", "begun", "waits for the writer"),
    ("begun", "committed", "the writer's transaction (disk)"),
    ("committed", "asked", "until the relay looks"),
    ("asked", "read", "the relay reads"),
    ("read", "fetched", "Kafka: send, append, fetch"),
    ("fetched", "applying", "headers, order"),
    ("applying", "visible", "the reader's transaction"),
    ("committed", "visible", "all: from commit to row"),
    ("read", "marked", "beside: acknowledged, and the mark moved"),
)


STEADY = 0.9
"""Share of the events that counts."""


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    home = Path(os.environ.pop("CARETRAIL_HOME", "") or ".caretrail/bench")
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(_measured(home, parser.parse_args().seconds))


async def _measured(home: Path, seconds: float) -> None:
    async with lab(home, SIZES["quick"]) as found:
        syncs = _wal_syncs(found)
        stamps, cpu_ms = await followed(found, seconds)
        syncs = (_wal_syncs(found) - syncs) / len(stamps["visible"])
    print(f"{'ms':42} {'p50':>7} {'p90':>7} {'p99':>7}")
    for begin, end, title in STEPS:
        begins, ends = stamps[begin], stamps[end]
        # The first events are a burst that makes every patient's key.
        steady = sorted(begins.keys() & ends.keys())[-int(RATE * seconds * STEADY) :]
        times = [(ends[position] - begins[position]) / 1e6 for position in steady]
        print(f"{title:42} " + " ".join(f"{percentile(times, share):7.2f}" for share in (50, 90, 99)))
    print(f"{len(stamps['visible'])} events; CPU ms an event: teller {cpu_ms[0]:.2f}, shower {cpu_ms[1]:.2f}")
    print(f"syncs of PostgreSQL's log an event: {syncs:.2f}")


async def followed(found: Lab, seconds: float) -> tuple[Stamps, list[float]]:
    """The stamps of every event, and the CPU time of both processes in ms an event."""
    settings = await found.prepare(f"breakdown_{int(time())}", "clinical", "billing", topics=True)
    paths = [found.home / f"stamps-{name}.json" for name in ("teller", "shower")]
    served = []
    for name, path in zip(("teller", "shower"), paths, strict=True):
        os.environ["CARETRAIL_STAMPS"] = str(path)
        served.append(await found.serve(name, settings))
    del os.environ["CARETRAIL_STAMPS"]
    begin = [_cpu_ms(pid) for _, pid in served]
    url = served[0][0]
    await output("clients", f"{url}/notes", "--rate", RATE, "--seconds", seconds)
    await asyncio.sleep(1)
    cpu = [_cpu_ms(pid) - before for (_, pid), before in zip(served, begin, strict=True)]
    await found.stop_served()
    stamps: Stamps = {}
    for path in paths:
        for step, passed in json.loads(path.read_text()).items():
            if path is paths[0] or step in ("fetched", "applying", "visible"):
                stamps[step] = {int(position): at for position, at in passed.items()}
    return stamps, [each / len(stamps["visible"]) for each in cpu]


def _wal_syncs(found: Lab) -> float:
    """How often the log was synced so far; processes tell of it when they are idle or end."""
    with psycopg.connect(found.postgres, autocommit=True) as admin:
        [(count,)] = admin.execute("select sum(fsyncs) from pg_stat_io where object = 'wal'").fetchall()
    return float(count)


def _cpu_ms(pid: int) -> float:
    """What a process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
