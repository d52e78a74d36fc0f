"""HTTP for operators: projections, their rebuilds and how far they are; the topic beside the store."""

from __future__ import annotations

from typing import Any, Literal

from caretrail_contracts.system import Place
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from operations import republishing
from operations.accepting import Acceptance, accepted
from operations.answering import answering
from operations.desk import Desk, Mixed, UnknownProjection, Waits
from operations.noting import Reason
from operations.parked import Person
from operations.rebuilding import Running
from web.http import Calling, as_told
from web.problems import Problem

router = APIRouter(tags=["internal"])

PROCESSES_MAX = 12
"""One for each partition at most."""


class Asked(BaseModel):
    """What to do with a projection."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"action": "verify", "processes": 2}]}
    )

    action: Literal["rebuild", "verify"]
    processes: int = Field(1, ge=1, le=PROCESSES_MAX)


class Accepted(BaseModel):
    """Why a projection is to be replaced by its rebuild also where that differs from what serves."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "rows were written by hand"}]}
    )

    reason: Reason
    processes: int = Field(1, ge=1, le=PROCESSES_MAX)


MIXED = (
    "Processes of another release fold {} too, or work without it: rebuilt now it would be wrong again "
    "at once. Stop those: then its rebuild begins by itself."
)


def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


@router.get("/internal/projections")
async def projections(request: Request) -> list[dict[str, Any]]:
    """Every projection of the service."""
    return await _desk(request).states()


@router.get("/internal/projections/{name}")
async def projection(request: Request, name: str) -> dict[str, Any]:
    """One projection, and how far its rebuild is."""
    desk = _desk(request)
    try:
        return await desk.state(name)
    except UnknownProjection:
        raise _unknown(desk) from None


@router.post("/internal/projections/{name}", status_code=202, dependencies=[Depends(as_told)])
async def start(request: Request, name: str, asked: Asked) -> dict[str, Any]:
    """Start a rebuild or a verification, or go on with one that was interrupted."""
    return await _started(_desk(request), name, asked.action, asked.processes)


@router.post("/internal/projections/{name}/accept-difference", status_code=202)
async def accept(request: Request, name: str, asked: Accepted, caller: Calling) -> dict[str, Any]:
    """Start a rebuild that is swapped in also where it differs from what serves; that is on record then."""
    person = Person(caller.actor, caller.purpose)
    acceptance = await accepted(request.app.state.ground, asked.reason, person)
    return await _started(_desk(request), name, "rebuild", asked.processes, acceptance)


async def _started(
    desk: Desk, name: str, action: str, processes: int, acceptance: Acceptance | None = None
) -> dict[str, Any]:
    try:
        await desk.start(name, action, processes, acceptance=acceptance)
    except UnknownProjection:
        raise _unknown(desk) from None
    except Mixed:
        raise Problem(409, "ReleasesMixed", MIXED.format(name)) from None
    except Waits as waits:
        nothing = "no difference to accept" if acceptance else "nothing to verify"
        raise Problem(409, "VersionWaits", f"{waits}: there is {nothing}; rebuild it.") from None
    except Running:
        found = await desk.state(name)
        raise Problem(
            409,
            "RebuildRunning",
            f"A {found['action'] or 'rebuild'} of {name} is under way: wait for its end.",
        ) from None
    return await desk.state(name)


@router.get("/internal/topic")
async def topic(request: Request) -> dict[str, Any]:
    """The service's topic beside its store."""
    with answering():
        return await republishing.compared(request.app.state.ground)


@router.post("/internal/topic/republish")
async def republish(request: Request, caller: Calling) -> dict[str, Any]:
    """Have the topic sent again from where it ends, if it lacks anything."""
    try:
        with answering():
            return await republishing.republish(request.app.state.ground, caller)
    except republishing.StoreBehind as error:
        detail = (
            f"The store is behind its topic: {error}. It lost something, or somebody else wrote to the topic."
        )
        raise Problem(409, "StoreBehind", detail) from None


def _unknown(desk: Desk) -> Problem:
    expected = f"one of {', '.join(desk.names())}"
    place = Place(at="path name", expected=expected)
    return Problem(404, "NotFound", "The service has no such projection; see places.", (place,))
