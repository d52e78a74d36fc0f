"""Endpoints for machines: health, metrics, progress for a driver, digests for the audit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from caretrail_contracts.digests import digest_of
from caretrail_contracts.envelope import PARTITIONS
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from chassis.database import Row, query
from chassis.postgres import record_of
from operations import readiness, remembering
from operations.bulk import NdjsonResponse

if TYPE_CHECKING:
    from chassis.runtime import Runtime
    from operations.progress import Progress

router = APIRouter(tags=["internal"])

READ_MAX = 1_000
"""Events digested for one answer."""


Mark = Annotated[int, Field(ge=0, le=2**63 - 1)]
Bigint = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class Ready(BaseModel):
    """Whether a process is ready; ``paused`` names partitions, ``refusing`` is there while commands wait.

    ``older`` names read models that wait for their rebuild, and what serves until then: no fault. ``minor``
    is there while a part is interrupted beside which the process serves on.
    """

    status: Literal["ready", "not ready"]
    faults: list[str]
    paused: list[str]
    older: list[str] = []
    refusing: str = ""
    minor: list[str] = []


def _runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found


def _progress(request: Request) -> Progress:
    found: Progress = request.app.state.progress
    return found


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The loop turns."""
    return {"status": "live"}


@router.get("/health/ready", responses={503: {"description": "Not ready: faults say why.", "model": Ready}})
async def ready(request: Request, response: Response) -> dict[str, Any]:
    """Every feed is caught up, or moved in the last 30 s; one that a person paused is no fault.

    While commands are turned away, ``refusing`` says why; reads go on, so the process is ready.
    """
    runtime, excess = _runtime(request), await request.app.state.pressure.excess()
    faults, minor = readiness.faults(runtime), readiness.minor(runtime)
    response.status_code = 503 if faults else 200
    paused = {part for feed in runtime.feeds for part in feed.readings.paused}
    return {
        "status": "not ready" if faults else "ready",
        "faults": faults,
        "paused": [f"{topic}[{partition}]" for topic, partition in sorted(paused)],
        "older": request.app.state.desk.waiting,
        **({"refusing": excess.why} if excess else {}),
        **({"minor": minor} if minor else {}),
    }


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(await request.app.state.measures.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/internal/progress")
async def progress(request: Request) -> dict[str, Any]:
    """How far the store, relay and consumers are, and what is due or under way."""
    return await _progress(request).now()


@router.get("/internal/progress/above")
async def above(
    request: Request, after: Annotated[list[Mark], Query(min_length=PARTITIONS, max_length=PARTITIONS)]
) -> dict[str, Any]:
    """How many events of the store a reader has not applied that came so far, ``after`` in each partition."""
    [found] = await _runtime(request).ground.database.rows(ABOVE, after)
    return dict(found)


@router.get("/internal/progress/stream", response_class=NdjsonResponse)
async def progress_stream(request: Request) -> NdjsonResponse:
    """The progress each time that it changed, a JSON object a line, until the caller leaves."""
    changes = _progress(request).changes()
    return NdjsonResponse(json.dumps(found) + "\n" async for found in changes)


@router.get("/internal/digests")
async def digests(request: Request, paged: bool = False) -> dict[str, Any]:
    """How far the store is; and, for an audit that does not ask for the pages, how its memory is apart."""
    runtime, database = _runtime(request), _runtime(request).ground.database
    [found] = await database.rows(HEADS)
    apart = {} if paged else {"commands": await remembering.all_apart(database)}
    return {"source": runtime.origin.source, **found, **apart}


@router.get("/internal/digests/commands")
async def commands_of_events(request: Request, after: Bigint, until: Bigint) -> dict[str, Any]:
    """Of a page of events, those whose command is remembered otherwise, and after which position to go on."""
    return await remembering.of_events(_runtime(request).ground.database, after, until)


@router.get("/internal/digests/remembered")
async def commands_alone(request: Request, after: UUID) -> dict[str, Any]:
    """Of a page of commands, those remembered without their events, and after which to go on."""
    return await remembering.of_commands(_runtime(request).ground.database, after)


@router.get("/internal/digests/events")
async def event_digests(request: Request, after: int, until: int) -> list[dict[str, Any]]:
    """A page of events with their digests, in order of position; null where a row cannot be read."""
    runtime = _runtime(request)
    rows = await runtime.ground.database.rows(DIGESTS, after, until, READ_MAX)
    named = [{name: row[name] for name in NAMED} for row in rows]
    return [
        about | {"digest": _digest(row, runtime.origin.source)}
        for about, row in zip(named, rows, strict=True)
    ]


def _digest(row: Row, source: str) -> str | None:
    try:
        return digest_of(record_of(row, source))
    except (AttributeError, TypeError, ValueError):  # what no service wrote; the other rows are still read
        return None


NAMED = ("id", "command_id", "stream", "stream_version", "epoch", "position", "partition")
HEADS, DIGESTS, ABOVE = (query(name, "operations") for name in ("heads", "digests", "above"))
