"""Readiness: what keeps a process from being ready, told by the names of its parts."""

from __future__ import annotations

from chassis.part import Part
from chassis.runtime import Runtime


def faults(runtime: Runtime) -> list[str]:
    """What interrupts a process's parts, and which of them ended; while its database is away, that alone.

    Where Kafka is away or another process was faster, feeds alone tell of it: the rest serves on.
    """
    every = [runtime.ownership, runtime.ground.store, *runtime.parts]
    told = [runtime.ownership] if runtime.ownership.fault else every
    return [
        *(f"{part.name} died" for part in every if part.task and part.task.done()),
        *(f"{part.name}: {part.fault}" for part in told if part.fault and _counts(runtime, part)),
    ]


def minor(runtime: Runtime) -> list[str]:
    """What interrupts parts while the process serves on, such as timers that cannot be fired."""
    return [
        f"{part.name}: {part.fault}" for part in runtime.parts if part.fault and not _counts(runtime, part)
    ]


def _counts(runtime: Runtime, part: Part) -> bool:
    return part in (runtime.ownership, *runtime.feeds) or not part.minor
