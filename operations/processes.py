"""Processes: the workers that jobs are given to, started, watched and ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from chassis.positions import Fenced
from operations.away import Away, away_of
from operations.folding import Unfoldable
from operations.history import Incomplete
from operations.job import Job

RESTARTS_MAX = 3
"""How often a worker that died is started again: it goes on where its last transaction ended."""

log = structlog.get_logger(__name__)


class Failed(Exception):
    """A rebuild cannot be carried out; ``told`` says why, and which event it is about."""

    def __init__(self, why: str, **more: Any) -> None:
        super().__init__(why)
        self.told = {"why": why, **more}


@asynccontextmanager
async def failing() -> AsyncIterator[None]:
    """What a fold in this process raises, as what a worker tells. Raises Failed, Away, Fenced."""
    try:
        yield
    except Unfoldable as error:
        raise Failed(str(error), event=error.event) from error
    except Incomplete as error:
        raise Failed(str(error)) from error
    except Exception as error:
        if away := away_of(error):
            raise away from error
        raise


async def work(jobs: Sequence[Job]) -> list[Any]:
    """What each job comes to, a process each; the first failure ends them all.

    Raises Failed, Away, Fenced.
    """
    tasks = [asyncio.create_task(_worked(job)) for job in jobs]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _worked(job: Job) -> Any:
    for _ in range(RESTARTS_MAX + 1):
        code, line = await _once(job)
        if line:
            told = json.loads(line)
            if "away" in told:
                raise Away(told["away"], told["error"])
            if "fenced" in told:
                raise Fenced(told["fenced"])
            if "why" in told:
                raise Failed(told.pop("why"), **told)
            return told["done"]
        log.warning("worker_died", projection=job.projection, partitions=job.partitions, code=code)
    raise Failed(f"a worker died {RESTARTS_MAX + 1} times; its last exit code is {code}, see the log")


async def _once(job: Job) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "operations.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(job.encoded() + b"\n")
        # Not closed: its end tells the worker that this process is gone.
        line = await process.stdout.read()
        return await process.wait(), line
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
