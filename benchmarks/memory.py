"""Resident memory of processes, as Linux tells it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.memory import children_of

SAMPLE_S = 0.1


@dataclass
class Sampled:
    """Resident memory of the processes that this one started meanwhile, in MiB, sample by sample."""

    mib: list[float] = field(default_factory=list)

    @property
    def growth_mib(self) -> float:
        """By how much the most is above what it was after a quarter of the time."""
        return max(self.mib) - self.mib[len(self.mib) // 4] if self.mib else 0.0


def resident_mib(pid: int) -> float:
    """Resident memory of a process; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


@asynccontextmanager
async def sampled(into: Sampled) -> AsyncIterator[None]:
    """Sample what is started within the block."""
    before = set(children_of(os.getpid()))

    async def sample() -> None:
        while True:
            started = [pid for pid in children_of(os.getpid()) if pid not in before]
            if found := sum(map(resident_mib, started)):
                into.mib.append(found)
            await asyncio.sleep(SAMPLE_S)

    task = asyncio.create_task(sample())
    try:
        yield
    finally:
        task.cancel()
