"""HTTP for operators: how far the service's readers are; pause, resume and reset them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

from caretrail_contracts.system import Place
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chassis.office import Ground
from operations import consumers
from operations.answering import answering
from operations.consumers import NotPaused, OutOfReach, OwnStore, UnknownPartition, UnknownTopic, WouldSkip
from operations.noting import Reason
from operations.parked import Person
from operations.topics import TooFar
from web.http import Caller, Calling
from web.problems import Problem
from web.times import Moment

router = APIRouter(tags=["internal"])

Topic = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Which(_Asked):
    """Partitions of a topic, by its name or its service's, or of the ``store``; all where none is named."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"topic": "intake", "partitions": [3]}]})

    topic: Topic
    partitions: list[int] | None = Field(None, min_length=1, max_length=12)


class Pause(Which):
    """What to read no more, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"topic": "intake", "partitions": [3], "reason": "a bad release"}]}
    )

    reason: Reason


class Reset(_Asked):
    """From where to read partitions: the beginning, an offset, or the first record sent at a time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"topic": "intake", "partitions": [3], "to": "beginning", "reason": "folded wrongly"}
            ]
        }
    )

    topic: Topic
    partitions: list[int] = Field(min_length=1, max_length=12)
    to: Literal["beginning"] | Annotated[int, Field(ge=0, le=2**63 - 1)] | Moment
    reason: Reason


def _ground(request: Request) -> Ground:
    found: Ground = request.app.state.ground
    return found


def _person(caller: Caller) -> Person:
    return Person(caller.actor, caller.purpose)


@contextmanager
def _refusing() -> Iterator[None]:
    """What cannot be done, as problems."""
    try:
        with answering():
            yield
    except (UnknownTopic, UnknownPartition) as error:
        at = "/topic" if isinstance(error, UnknownTopic) else "/partitions"
        place = Place(at=at, expected=str(error)[:400])
        raise Problem(404, type(error).__name__, str(error), (place,)) from None
    except NotPaused as error:
        detail = f"Pause the partition first ({error}); resume it after the reset."
        raise Problem(409, "NotPaused", detail) from None
    except OwnStore:
        detail = "The own store is read by position, and each position once: there is nothing to reset."
        raise Problem(409, "OwnStore", detail) from None
    except (OutOfReach, WouldSkip) as error:
        raise Problem(409, type(error).__name__, str(error)) from None
    except TooFar:
        detail = "There is too much in between to see that nothing is skipped: choose an offset nearer by."
        raise Problem(409, "TooFar", detail) from None


@router.get("/internal/consumers")
async def listed(request: Request) -> list[dict[str, Any]]:
    """Each partition that the service reads."""
    with _refusing():
        return await consumers.states(_ground(request))


@router.post("/internal/consumers/pause")
async def paused(request: Request, asked: Pause, caller: Calling) -> dict[str, Any]:
    """Let partitions be read no more; answers which of them were read until now."""
    ground = _ground(request)
    with _refusing():
        part = consumers.parts(ground, asked.topic, asked.partitions)
        paused = await consumers.pause(ground, part, asked.reason, _person(caller))
    return {"topic": part[0][0], "partitions": paused}


@router.post("/internal/consumers/resume")
async def resumed(request: Request, asked: Which, caller: Calling) -> dict[str, Any]:
    """Let partitions be read again; answers which of them were paused."""
    ground = _ground(request)
    with _refusing():
        part = consumers.parts(ground, asked.topic, asked.partitions)
        resumed = await consumers.resume(ground, part, _person(caller))
    return {"topic": part[0][0], "partitions": resumed}


@router.post("/internal/consumers/reset")
async def reset(request: Request, asked: Reset, caller: Calling) -> dict[str, Any]:
    """Let paused partitions be read from elsewhere on, all of them or none."""
    ground = _ground(request)
    to: int | datetime | None = None if isinstance(asked.to, str) else asked.to
    with _refusing():
        part = consumers.parts(ground, asked.topic, asked.partitions)
        offsets = await consumers.reset(ground, part, to, asked.reason, _person(caller))
    return {"topic": part[0][0], "reads_from": offsets}
