"""Compares every service's store with the ledger, by digests that each service computes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from caretrail_contracts.cloudevents import from_headers
from caretrail_contracts.digests import digest_of, stream_digest

from services.audit.domain import Counted, Difference, Held, events_apart, streams_apart

CATCH_UP_MAX_S = 10.0
"""How long a check waits for the ledger to have consumed what the stores hold."""

Rows = Callable[..., Awaitable[list[dict[str, Any]]]]


@dataclass
class Comparison:
    """What a check found."""

    events: int = 0
    streams: int = 0
    differences: list[Difference] = field(default_factory=list)


async def compare(rows: Rows, services: dict[str, str], headers: dict[str, str]) -> Comparison:
    """Compare each service's store, up to its head now, with what the ledger keeps of it.

    ``services`` gives the base URL of each. Raises httpx.HTTPError where one does not answer.
    """
    found = Comparison()
    async with httpx.AsyncClient(timeout=60, headers=headers) as client:
        for name, base in sorted(services.items()):
            await _compare(client, rows, name, base, found)
    return found


async def _compare(client: httpx.AsyncClient, rows: Rows, name: str, base: str, found: Comparison) -> None:
    answer = await _get(client, f"{base}/internal/digests")
    source, until = answer["source"], answer["until"]
    await _until_caught_up(rows, source, until)
    store = {stream: Counted(**counted) for stream, counted in answer["streams"].items()}
    held = await _held(rows, source, until)
    ledger = {
        stream: Counted(len(events), stream_digest(event.digest for event in events))
        for stream, events in held.items()
    }
    found.events += sum(counted.events for counted in store.values())
    found.streams += len(store)
    for stream in streams_apart(store, ledger):
        detail = await _get(client, f"{base}/internal/digests/{stream}", until=until)
        ours = [Held(event["id"], event["version"], event["digest"]) for event in detail["events"]]
        found.differences += events_apart(name, stream, ours, held.get(stream, []))


async def _get(client: httpx.AsyncClient, url: str, **parameters: Any) -> Any:
    response = await client.get(url, params=parameters)
    response.raise_for_status()
    return response.json()


async def _until_caught_up(rows: Rows, source: str, until: int) -> None:
    deadline = asyncio.get_running_loop().time() + CATCH_UP_MAX_S
    while asyncio.get_running_loop().time() < deadline:
        (row,) = await rows(APPLIED, source)
        if row["position"] >= until:
            return
        await asyncio.sleep(0.1)


async def _held(rows: Rows, source: str, until: int) -> dict[str, list[Held]]:
    """What the ledger keeps of a source, by stream, with digests over the bytes that it keeps."""
    held: dict[str, list[Held]] = {}
    after = 0
    while batch := await rows(LEDGER, source, after, until):
        for row in batch:
            headers = [(name, value.encode()) for name, value in row["headers"].items()]
            digest = digest_of(from_headers(headers, row["body"]))
            event = Held(str(row["event_id"]), row["stream_version"], digest)
            held.setdefault(row["stream"], []).append(event)
        after = batch[-1]["position"]
    return held


APPLIED = (
    b"select coalesce(max(position), 0) as position from positions where source = %s and topic <> 'store'"
)
LEDGER = b"""
select position, event_id, stream, stream_version, headers, body from ledger
where source = %s and position > %s and position <= %s order by position limit 5000
"""
