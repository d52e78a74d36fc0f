"""Keeping: a home's PostgreSQL is started again where its first process ended, as the other programs are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from chassis.waking import waited
from deploy.local import postgres
from deploy.local.supervisor import RESTART_MAX_S, note

LOOK_S = 0.5
"""How often is looked whether it is there; where it does not start, doubled up to ``RESTART_MAX_S``."""

NAME = "postgres"


@asynccontextmanager
async def kept(home: Path) -> AsyncIterator[None]:
    """While the home's cluster, which runs, is kept running, and written down like any other program."""
    ending = asyncio.Event()
    keeper = asyncio.create_task(_keep(home, ending), name=f"keep-{NAME}")
    try:
        yield
    finally:
        ending.set()
        await asyncio.wait([keeper])  # a start that is under way is not to come after the stop
        (home / "run" / f"{NAME}.json").unlink(missing_ok=True)


async def _keep(home: Path, ending: asyncio.Event) -> None:
    """Look until the end: what is another process than the one written down is started, or seen to be."""
    known, restarts, pause = 0, 0, LOOK_S
    while True:
        if not known or postgres.first_process(home) != known:
            with suppress(Exception):  # whatever keeps it from starting is in its log: tried again
                await asyncio.to_thread(postgres.start_again, home)
                restarts, known = restarts + bool(known), postgres.first_process(home)
                note(home, NAME, known, None, restarts)
        gone = not known or postgres.first_process(home) != known
        pause = min(2 * pause, RESTART_MAX_S) if gone else LOOK_S
        if await waited(ending, pause):
            return
