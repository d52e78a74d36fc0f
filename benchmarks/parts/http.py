"""Commands over HTTP: one process of a service, clients in another."""

from __future__ import annotations

import asyncio

from benchmarks.figures import Figure
from benchmarks.lab import Lab, output
from benchmarks.references import rows
from benchmarks.trials import in_turn

CLIENTS = 32


async def commands(lab: Lab) -> list[Figure]:
    """A command that seals, decides and commits, beside the same route doing nothing."""
    settings = await lab.prepare("http", "clinical", topics=True)
    url, _ = await lab.serve("teller", settings)
    slow: dict[str, list[float]] = {"p50_ms": [], "p99_ms": []}

    async def ours(_: int) -> float:
        found = await output("clients", f"{url}/notes", "--clients", CLIENTS, "--seconds", lab.sizes.http_s)
        for name, values in slow.items():
            values.append(found[name])
        return float(found["rate"])

    async def reference(_: int) -> float:
        found = await output("clients", f"{url}/nothing", "--clients", CLIENTS, "--seconds", lab.sizes.http_s)
        return float(found["rate"])

    done, nothing = await in_turn(lab.sizes.trials, ours, reference)
    return [Figure("http_commands", done, nothing, more=slow, about={"clients": CLIENTS})]


async def batches(lab: Lab) -> list[Figure]:
    """The same commands as lines of one request, beside rows copied in one go."""
    url = lab.database("rows_copy")
    settings = await lab.prepare("bulk", "clinical", topics=True)
    teller, _ = await lab.serve("teller", settings)

    async def ours(_: int) -> float:
        found = await output("clients", f"{teller}/commands", "--lines", lab.sizes.appends)
        return float(found["rate"])

    async def reference(_: int) -> float:
        return await asyncio.to_thread(rows.copy_rate, url, lab.sizes.copied)

    done, copied = await in_turn(lab.sizes.trials, ours, reference)
    return [Figure("batch_commands", done, copied, about={"lines": lab.sizes.appends})]
