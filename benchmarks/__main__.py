"""Measure: ``python -m benchmarks``, or ``make bench``.

``QUICK=1`` takes smaller sizes, ``ONLY=append_16,relay`` single keys, ``ONLY=append`` what begins so. Servers
and large data sets lie in ``CARETRAIL_HOME`` (``.caretrail/bench``).
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import structlog
import uvloop
from rich.console import Console

from benchmarks import report
from benchmarks.figures import Figure
from benchmarks.keys import KEYS
from benchmarks.lab import Lab, lab
from benchmarks.parts import PARTS
from benchmarks.sizes import SIZES
from cli.screen import out
from deploy.serving import relieve_collector

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> None:
    """Measure what is asked for; show and write it."""
    home = Path(os.environ.pop("CARETRAIL_HOME", "") or ".caretrail/bench")
    size = "quick" if os.environ.get("QUICK") else "full"
    only = chosen(os.environ.get("ONLY", ""))
    logging.basicConfig(level=logging.CRITICAL)  # clients log what passes; what fails is raised
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(home, size, only or list(KEYS), out()))


def chosen(names: str) -> list[str]:
    """The keys of names with commas between, and that begin with them; ends the program at another."""
    found = list[str]()
    for name in filter(None, map(str.strip, names.split(","))):
        keys = [key for key in KEYS if key == name or key.startswith(f"{name}_")]
        found += keys or sys.exit(f"unknown key {name}: one of {', '.join(KEYS)}")
    return found


async def measure(
    home: Path, size: str, wanted: list[str], console: Console, results: Path = RESULTS
) -> None:
    """Measure keys in a home of servers, then show and write them."""
    figures: list[Figure] = []
    async with lab(home, SIZES[size]) as found:
        about = report.surroundings(found)
        async for measured in each(found, wanted, console):
            # After each part: a run that is stopped leaves what it measured so far.
            figures = sorted([*figures, *measured], key=lambda figure: list(KEYS).index(figure.key))
            report.write(results, figures, about, size)
    report.show(console, figures, about)
    console.print(f"written to {results}", highlight=False)


async def each(found: Lab, wanted: list[str], console: Console) -> AsyncIterator[list[Figure]]:
    """The wanted figures, part by part."""
    for keys, part in PARTS.items():
        if not any(key in wanted for key in keys):
            continue
        console.print(f"{', '.join(keys)} …", end=" ", highlight=False)
        relieve_collector()  # as a service's process does
        began = perf_counter()
        figures = await part(found)
        await found.stop_served()
        console.print(f"{perf_counter() - began:.0f} s", highlight=False)
        yield [figure for figure in figures if figure.key in wanted]


if __name__ == "__main__":
    main()
