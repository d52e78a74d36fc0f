"""Compares every service's store with the ledger, by digests that each service computes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from ssl import SSLContext
from typing import Any
from uuid import UUID

import httpx

from services.audit.adapters.ledger import held_of
from services.audit.domain.comparison import OF_NO_SERVICE, Comparison, Difference, Held

CATCH_UP_MAX_S = 10.0
"""How long a check waits for the ledger to have consumed what the stores hold."""

ANSWER_MAX_S = 600.0
"""What a service may take for a page, of which it reads a second's worth, or to find the ends of its log."""

BEFORE_ALL = -(2**63)
"""No position is below it."""

Rows = Callable[..., Awaitable[list[dict[str, Any]]]]


@dataclass
class Found:
    """What a check found."""

    events: int = 0
    streams: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, comparison: Comparison) -> None:
        """What was found of one service."""
        self.events += comparison.events
        self.streams += len(comparison.streams)
        self.differences += comparison.differences


async def compare(rows: Rows, services: dict[str, str], headers: dict[str, str]) -> Found:
    """Compare each service's store with what the ledger keeps of it, up to the head of either.

    ``services`` gives the base URL of each. Raises httpx.HTTPError where one does not answer.
    """
    # First the ledger, then the stores: what the ledger has passed by now, a store must hold.
    passed = {row["source"]: row["position"] for row in await rows(PASSED)}
    found, sources = Found(), []
    async with httpx.AsyncClient(timeout=ANSWER_MAX_S, headers=headers, verify=_trusted()) as client:
        for name, base in sorted(services.items()):
            store = await _get(client, f"{base}/internal/digests", paged=True)
            sources.append(store["source"])
            found.add(await _compare(client, rows, name, base, store, passed.get(store["source"], 0)))
    for row in await rows(OTHERS, sources):
        rest = Comparison(row["service"] or "")
        rest.name(held_of(row), OF_NO_SERVICE)
        found.add(rest)
    return found


@cache
def _trusted() -> SSLContext:
    """The authorities whose certificates count: to read them takes some 20 ms, and each check would."""
    return httpx.create_ssl_context()


async def _compare(
    client: httpx.AsyncClient, rows: Rows, name: str, base: str, store: dict[str, Any], passed: int
) -> Comparison:
    found, source, after = Comparison(name), store["source"], BEFORE_ALL
    head = max(store["heads"].values(), default=0)
    until = max(head, passed)
    await _until_caught_up(rows, source, store["heads"])
    while after < until:
        page = await _get(client, f"{base}/internal/digests/events", after=after, until=until)
        ours = [_held_in_store(event) for event in page]
        upto = ours[-1].position if ours else until
        found.take(ours, [held_of(row) for row in await rows(LEDGER, source, after, upto)])
        after = upto
    found.take([], [held_of(row) for row in await rows(BEYOND, source, until, source)])
    async for event in _apart(client, base, store, until):
        found.note(event["stream"], event["stream_version"], event["id"], event["kind"])
    found.conclude(head, max(passed, store["passed"]))
    return found


async def _apart(
    client: httpx.AsyncClient, base: str, store: dict[str, Any], until: int
) -> AsyncIterator[dict[str, Any]]:
    """Events whose command a service remembers otherwise, then commands that it remembers without events."""
    if "commands" in store:  # of the release before, which tells all at once
        for event in store["commands"]:
            yield event
        return
    for pages, first, bound in (
        ("commands", BEFORE_ALL, {"until": until}),
        ("remembered", UUID(int=0), {}),
    ):
        page: dict[str, Any] = {"next": first}
        while page["next"] is not None:
            page = await _get(client, f"{base}/internal/digests/{pages}", after=page["next"], **bound)
            for event in page["apart"]:
                yield event


def _held_in_store(event: dict[str, Any]) -> Held:
    named = {"id": "", "command_id": "", "stream": "", "stream_version": 0, "epoch": 0}
    return Held(**event | {name: event[name] or gone for name, gone in named.items()})


async def _get(client: httpx.AsyncClient, url: str, **parameters: Any) -> Any:
    response = await client.get(url, params=parameters)
    response.raise_for_status()
    return response.json()


async def _until_caught_up(rows: Rows, source: str, heads: dict[str, int]) -> None:
    deadline = asyncio.get_running_loop().time() + CATCH_UP_MAX_S
    while asyncio.get_running_loop().time() < deadline:
        applied = {str(row["partition"]): row["position"] for row in await rows(APPLIED, source)}
        if all(applied.get(partition, 0) >= head for partition, head in heads.items()):
            return
        await asyncio.sleep(0.1)


PASSED = b"select source, max(position) as position from positions where topic <> 'store' group by source"
APPLIED = b"select partition, position from positions where source = %s and topic <> 'store'"

COLUMNS = b"""
select source, epoch, position, event_id, service, stream, stream_version, type, patient,
    to_jsonb(occurred_at) as occurred_at, to_jsonb(recorded_at) as recorded_at, headers, body
from ledger
"""
"""A row of the ledger; times as JSON, since one that Python's calendar lacks must not hide the others."""

LEDGER = COLUMNS + b"where source = %s and position > %s and position <= %s order by position"

BEYOND = (
    COLUMNS
    + b"""
where source = %s and position > greatest(
    %s, (select max(position) from positions where source = %s and topic <> 'store')
) order by position
"""
)
"""Rows above all that was taken in by now: the ledger's reader did not write them."""

OTHERS = COLUMNS + b"where source <> all(%s) order by source, position"
