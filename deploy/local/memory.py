"""Memory of a process tree: proportional set size, sampled each second."""

from __future__ import annotations

import asyncio
from pathlib import Path

SAMPLE_S = 1.0


def children_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += children_of(int(child))
        except OSError:
            continue
    return found


def pss_kib(pid: int) -> int:
    """Proportional set size of one process, in KiB; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Peak:
    """The highest sum over several trees, sampled by a task until it is ended or cancelled."""

    def __init__(self) -> None:
        self.kib = 0
        self.roots: list[int] = []
        self._ended = False

    async def run(self) -> None:
        """Sample until the end."""
        while not self._ended:
            self.kib = max(self.kib, await asyncio.to_thread(self._sample))
            await asyncio.sleep(SAMPLE_S)

    def end(self) -> None:
        """Sample no more: it takes some percent of a processor."""
        self._ended = True

    def _sample(self) -> int:
        pids = {pid for root in self.roots for pid in children_of(root)}
        return sum(pss_kib(pid) for pid in pids)
