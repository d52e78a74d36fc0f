"""Rounds on a cluster of brokers: one after the other dies, loses its disk, and comes back with nothing."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from random import Random

from deploy.local import kafka
from tests.faults import partitions
from tests.faults.faults import Fault, Note, lane
from tests.faults.processes import Kill
from tests.faults.theatre import Theatre

AWAY_S = (0.0, 20.0)
"""How long a lost broker is away: less than its session lasts, or more."""

IN_SYNC_MAX_S = 120.0
"""In which a broker without a disk has copied everything again."""


class NotInSync(Exception):
    """A broker that came back has not copied everything in time."""


class LoseBroker(Fault):
    """Kill -9 of a broker of several, whose disk is then empty."""

    async def strike(self) -> None:
        """It comes back as the same broker, and copies from the others. Raises NotInSync."""
        node = self.draw.choice(self.theatre.nodes)
        child = self.theatre.child(f"kafka-{node.number}")
        self.struck = self.theatre.signal(child.program.name, signal.SIGKILL)
        await child.stop()
        folder = kafka.folder_of(self.theatre.home, node.number) / "data"
        bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        await self.lasting(*AWAY_S)
        await asyncio.to_thread(kafka.cluster, self.theatre.home, self.theatre.nodes)
        began = time.monotonic()
        await child.start()
        await self._in_sync()
        took = time.monotonic() - began
        self.told = f"{child.program.name} of {bytes >> 20} MB, in sync after {took:.0f} s"

    async def _in_sync(self) -> None:
        end, lacking = time.monotonic() + IN_SYNC_MAX_S, partitions.UNKNOWN
        while time.monotonic() < end:
            lacking = await asyncio.to_thread(partitions.not_in_sync, self.theatre.direct)
            if not lacking:
                return
            await asyncio.sleep(0.5)
        raise NotInSync(f"{lacking} partitions lack a replica {IN_SYNC_MAX_S:.0f} s after a broker came back")


async def losing(stage: Theatre, note: Note, seconds: float, seed: int) -> None:
    """Lose brokers one at a time, and kill services beside."""
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as together:
        for kind in (LoseBroker, Kill):
            draw = Random(f"losses {seed} {kind.__name__}")
            together.create_task(lane(stage, note, draw, end, {kind: 1.0}))
