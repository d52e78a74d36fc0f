"""Commands over HTTP: one process of a service, clients in another."""

from __future__ import annotations

import asyncio

from benchmarks.figures import Figure
from benchmarks.lab import Lab, output
from benchmarks.references import rows
from benchmarks.trials import in_turn

CLIENTS = 32
NO_ENDPOINT = "no service takes many commands in one request yet"


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
    """Only the reference can be measured."""
    url = lab.database("rows_copy")

    async def reference(_: int) -> float:
        return await asyncio.to_thread(rows.copy_rate, url, lab.sizes.copied)

    [copied] = await in_turn(lab.sizes.trials, reference)
    return [Figure("batch_commands", reference=copied, missing=NO_ENDPOINT)]
