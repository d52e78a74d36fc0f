"""Endpoints for machines: health, metrics, progress for a driver, digests for the audit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from caretrail_contracts.digests import digest_of, stream_digest
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.database import query

if TYPE_CHECKING:
    from chassis.runtime import Runtime

router = APIRouter(tags=["internal"])

READ_MAX = 5_000
"""Events read at once for digests."""


def _runtime(request: Request) -> Runtime:
    found: Runtime = request.app.state.runtime
    return found


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The loop turns."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> dict[str, Any]:
    """Every feed is caught up, or moved in the last 30 s."""
    faults = await _runtime(request).faults()
    response.status_code = 503 if faults else 200
    return {"status": "not ready" if faults else "ready", "faults": faults}


@router.get("/metrics")
async def metrics() -> Response:
    """Prometheus metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/internal/progress")
async def progress(request: Request) -> dict[str, Any]:
    """How far the store, relay and consumers are, and what is due or under way."""
    return await _runtime(request).progress()


@router.get("/internal/progress/stream")
async def progress_stream(request: Request) -> StreamingResponse:
    """The progress each time that it changed, a JSON object a line, until the caller leaves."""
    changes = _runtime(request).changes()
    return StreamingResponse(
        (json.dumps(found) + "\n" async for found in changes), media_type="application/x-ndjson"
    )


@router.get("/internal/digests")
async def digests(request: Request, until: int | None = None) -> dict[str, Any]:
    """Count and digest of every stream, up to a position."""
    runtime = _runtime(request)
    reader = runtime.ground.store
    until = await reader.head() if until is None else until
    events: dict[str, list[str]] = {}
    after = 0
    while after < until:
        records = await reader.read(after, min(READ_MAX, until - after))
        for record in records:
            events.setdefault(record.envelope.stream, []).append(digest_of(record))
        after = records[-1].envelope.position if records else until
    found = {key: {"events": len(own), "digest": stream_digest(own)} for key, own in sorted(events.items())}
    return {"source": runtime.origin.source, "until": until, "streams": found}


@router.get("/internal/digests/{stream}")
async def stream_digests(request: Request, stream: str, until: int | None = None) -> dict[str, Any]:
    """Id, position and digest of each event of a stream, up to a position."""
    runtime = _runtime(request)
    found = []
    for row in await runtime.ground.database.rows(STREAM_POSITIONS, stream, until):
        (record,) = await runtime.ground.store.read(row["position"] - 1, 1)
        about = record.envelope
        named = {"id": str(about.id), "type": about.type, "version": about.stream_version}
        found.append({**named, "position": about.position, "digest": digest_of(record)})
    return {"source": runtime.origin.source, "stream": stream, "events": found}


STREAM_POSITIONS = query("stream_positions")
