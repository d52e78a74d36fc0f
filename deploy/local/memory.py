"""Memory of a process tree: proportional set size, sampled each second."""

from __future__ import annotations

import asyncio
from pathlib import Path

SAMPLE_S = 1.0

ANEW = 10
"""Each so many samples every process is looked at: what is shared is another's where one of them ended."""


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


def resident_pages(pid: int) -> int:
    """Pages of a process that are in memory, shared ones too; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


class Peak:
    """The highest sum over several trees, sampled by a task until it is ended or cancelled."""

    def __init__(self) -> None:
        self.kib = 0
        self.roots: list[int] = []
        self._ended = False
        self._samples = 0
        self._known: dict[int, tuple[int, int]] = {}

    async def run(self) -> None:
        """Sample until the end."""
        while not self._ended:
            self.kib = max(self.kib, await asyncio.to_thread(self._sample))
            await asyncio.sleep(SAMPLE_S)

    def end(self) -> None:
        """Sample no more: it takes some percent of a processor."""
        self._ended = True

    def _sample(self) -> int:
        """The sum, in KiB. A process whose resident size is what it was has what it had: for the exact
        figure the kernel walks every page."""
        known = self._known if self._samples % ANEW else {}
        self._known, self._samples = {}, self._samples + 1
        for pid in {pid for root in self.roots for pid in children_of(root)}:
            resident, found = resident_pages(pid), known.get(pid)
            self._known[pid] = found if found and found[0] == resident else (resident, pss_kib(pid))
        return sum(pss for _, pss in self._known.values())
