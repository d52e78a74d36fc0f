"""Kill -9 of one service in the middle of a play, with its relay behind, and a watch over the others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import dataclass, field
from time import monotonic

import httpx
import psycopg

from deploy.local.programs import SERVICES
from tests.journeys.records import Fact
from tests.journeys.stage import Stage

POLL_S = 0.01
BACK_MAX_S = 60.0

HEAD = b"""
select (select count(*) from events),
    (select coalesce(max(position), 0) from events) > coalesce((select max(position) from relay_mark), 0)
"""

LEDGER = b"select count(*), true from ledger"
"""The audit has next to no events of its own: its work is the ledger."""


@dataclass
class Killing:
    """What a kill found: events stored and whether some were not relayed yet, and how the others did."""

    service: str
    events: int = 0
    relay_behind: bool = False
    back_after_s: float = 0.0
    looks: int = 0
    not_live: list[str] = field(default_factory=list)


async def kill_midway(stage: Stage, service: str, final: int) -> Killing:
    """Kill a service when it holds 30 to 70 % of ``final`` events and its relay is behind.

    The process is frozen first, so that what is looked at is what the kill meets; where the relay is not
    behind it runs on and is frozen again a little later. At 65 % it is killed as it is.
    Ends when it is ready again.
    """
    found = Killing(service)
    address = stage.database(service)
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as store:
        while not await _struck(stage, store, found, final):
            await asyncio.sleep(POLL_S)
    await _watch(stage, found)
    return found


def final_events(service: str, played: list[Fact]) -> int:
    """How many events a service holds at the end of a play: in its store, the audit in its ledger."""
    return sum(service in ("audit", fact.service) for fact in played)


async def _struck(stage: Stage, store: psycopg.AsyncConnection, found: Killing, final: int) -> bool:
    events, _ = await _head(store, found.service)
    if events < 0.32 * final:
        return False
    process = _pid(stage, found.service)
    os.kill(process, signal.SIGSTOP)
    events, behind = await _head(store, found.service)
    if behind or events > 0.65 * final:
        os.kill(process, signal.SIGKILL)
        found.events, found.relay_behind = events, behind
        return True
    os.kill(process, signal.SIGCONT)
    return False


async def _head(store: psycopg.AsyncConnection, service: str) -> tuple[int, bool]:
    row = await (await store.execute(LEDGER if service == "audit" else HEAD)).fetchone()
    assert row
    return int(row[0]), bool(row[1])


def _pid(stage: Stage, service: str) -> int:
    return int(json.loads((stage.home / "run" / f"{service}.json").read_text())["pid"])


async def _watch(stage: Stage, found: Killing) -> None:
    """Ask the others whether they live until the killed one is ready again."""
    began = monotonic()
    others = [name for name in SERVICES if name != found.service]
    async with httpx.AsyncClient(timeout=10) as client, asyncio.timeout(BACK_MAX_S):
        while not await _answers(client, f"{stage.stack.urls[found.service]}/health/ready"):
            for name in others:
                found.looks += 1
                if not await _answers(client, f"{stage.stack.urls[name]}/health/live"):
                    found.not_live.append(f"{name} after {monotonic() - began:.1f} s")
            await asyncio.sleep(0.05)
    found.back_after_s = monotonic() - began


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False
