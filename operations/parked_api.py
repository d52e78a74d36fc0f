"""HTTP for operators: which records are parked, what is in one, redrive its key, discard it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

from caretrail_contracts.system import Place
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict

from chassis.office import Ground
from operations import parked
from operations.effecting import carry_out
from operations.noting import Reason
from operations.parked import Busy, NotParked, Person, WaitsBehind
from operations.redriving import NoHandler, redrive
from web.http import Caller, Calling
from web.problems import Problem

router = APIRouter(tags=["internal"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
After = Annotated[int, Query(ge=0, le=2**63 - 1)]


class Discard(BaseModel):
    """Why a record is never to be applied."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "sent again by its source, corrected"}]}
    )

    reason: Reason


def _ground(request: Request) -> Ground:
    found: Ground = request.app.state.ground
    return found


def _person(caller: Caller) -> Person:
    return Person(caller.actor, caller.purpose)


@contextmanager
def _refusing(id: int) -> Iterator[None]:
    """What cannot be done, as problems."""
    try:
        yield
    except NotParked:
        detail = "No record is parked under this number. If one was, it was redriven or discarded."
        place = Place(at="path id", expected="the number of a parked record")
        raise Problem(404, "NotParked", detail, (place,)) from None
    except WaitsBehind as error:
        detail = f"{id} waits behind {error.first}: redrive or discard that one first."
        raise Problem(409, "WaitsBehind", detail) from None
    except Busy:
        raise Problem(409, "Busy", f"Somebody else redrives {id} at the moment: wait for its end.") from None
    except NoHandler as error:
        detail = f"The service has no handler {error} any more: bring it back, or discard the record."
        raise Problem(409, "NoHandler", detail) from None


@router.get("/internal/parked")
async def listed(request: Request, handler: str = "", after: After = 0) -> dict[str, Any]:
    """The first parked record of each handler and key, oldest first: at most 1,000, go on after the last."""
    return await parked.heads(_ground(request), handler, after)


@router.get("/internal/parked/{id}")
async def shown(request: Request, id: Number, caller: Calling) -> dict[str, Any]:
    """One parked record, headers and body; that somebody looked is on record."""
    with _refusing(id):
        found, record = await parked.contents(_ground(request), id)
    await caller.note_access(record.envelope.patient if record else None, resource="parked-record")
    return found


@router.post("/internal/parked/{id}/redrive")
async def redriven(request: Request, id: Number, caller: Calling) -> dict[str, Any]:
    """Apply the first record of a key and what waits behind it; ``next`` is left when time was up."""
    ground, person, effects = _ground(request), _person(caller), request.app.state.runtime.effects
    with _refusing(id):
        async with ground.database.connection() as connection:
            handler = (await parked.first(connection, id))["handler"]
        if effects and (effect := parked.effect_of(ground, handler)):
            return asdict(await carry_out(effects, ground, effect, id, person))
        return asdict(await redrive(ground, id, person))


@router.post("/internal/parked/{id}/discard")
async def discarded(request: Request, id: Number, asked: Discard, caller: Calling) -> dict[str, Any]:
    """Decide that the first record of a key is never applied by this handler."""
    with _refusing(id):
        return await parked.discard(_ground(request), id, asked.reason, _person(caller))
