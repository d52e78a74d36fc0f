"""One module for each kind of work that is measured, and the keys that each function gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from benchmarks.figures import Figure
from benchmarks.lab import Lab
from benchmarks.parts import append, delivery, growth, http, memory, rebuild, relay

Part = Callable[[Lab], Awaitable[list[Figure]]]

PARTS: dict[tuple[str, ...], Part] = {
    ("append_1",): append.single,
    ("append_16", "append_64"): append.concurrent,
    ("command_16", "command_16_loaded"): append.commands,
    ("load_long",): append.long_stream,
    ("http_commands",): http.commands,
    ("batch_commands",): http.batches,
    ("end_to_end",): delivery.end_to_end,
    ("relay",): relay.relay,
    ("project_live",): relay.project,
    ("rebuild", "rebuild_2"): rebuild.rebuild,
    ("growth_append", "growth_timeline"): growth.growth,
    ("memory",): memory.memory,
}
