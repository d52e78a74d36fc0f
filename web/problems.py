"""Problem documents (RFC 9457): every error of the HTTP edge, made in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from json import JSONDecodeError
from typing import Any
from uuid import UUID, uuid4

import structlog
from caretrail_contracts.system import Place
from caretrail_contracts.wording import expected_of, known
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg.errors import LockNotAvailable
from starlette.exceptions import HTTPException

from chassis.database import LOST, is_lost
from chassis.refusal import Conflict, KeyReused, Refusal, Refused, Reserved, Unavailable
from chassis.store import EventTooLarge
from web.counting import count_problem
from web.traces import trace_of

MEDIA_TYPE = "application/problem+json"

SCHEMA, WORDS = (
    json.loads(files("web").joinpath(f"{name}.json").read_bytes()) for name in ("problem.schema", "words")
)
"""The JSON Schema of a problem document; the words for its statuses."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    int(status): {"description": meaning, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
    for status, meaning in WORDS["statuses"].items()
}
"""Problem answers by status, as OpenAPI's response objects."""


log = structlog.get_logger(__name__)


class Problem(HTTPException):
    """An error of the HTTP edge. ``places`` name what is wrong and what was expected, never values.

    ``on_record`` is the command id of the event that keeps it, where one does.
    """

    on_record: UUID | None = None

    def __init__(
        self, status: int, rule: str, detail: str, places: tuple[Place, ...] = (), retry_s: int = 1
    ) -> None:
        super().__init__(status, detail, {"Retry-After": str(retry_s)} if status == 503 else None)
        self.status, self.rule, self.places = status, rule, places


class Unreadable(Problem):
    """A request that nobody could take: it is put on record; its idempotency key stays reusable."""


def document(request: Request, problem: Problem) -> JSONResponse:
    """The answer that carries a problem; one that no event keeps is logged, unless it is to be sent again,
    and a bug with the trace of what raised it.

    A command's is counted: wherever the problem arose, this is where it is told.
    """
    count_problem(request, problem.rule)
    headers = {"Connection": "close"} if problem.status == 413 else problem.headers
    body = as_json(problem)
    if not problem.on_record and problem.status != 503:
        about = {"instance": body["instance"], "rule": problem.rule, "status": problem.status}
        if problem.__cause__:
            about["exception"] = trace_of(problem.__cause__)
        (log.error if problem.status == 500 else log.info)(
            "problem", method=request.method, route=route_of(request), **about
        )
    return JSONResponse(body, problem.status, headers, MEDIA_TYPE)


def route_of(request: Request) -> str:
    """The path of a request's route: what stands in the request's own could name a patient."""
    path: str = getattr(request.scope.get("route"), "path", "unknown route")
    return path


def as_json(problem: Problem) -> dict[str, Any]:
    """The problem document; its instance is the occurrence and not the path, which could name a patient."""
    body: dict[str, Any] = {
        "type": f"urn:caretrail:problem:{problem.rule}",
        "title": re.sub("([A-Z])", r" \1", problem.rule).strip().capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "instance": (problem.on_record or uuid4()).urn,
    }
    if problem.places:
        body["places"] = [place.model_dump() for place in problem.places]
    return body


class Stopping(Exception):
    """The process ends without an answer: whether a command was carried out is unknown; send it again."""


MEANINGS: dict[type[Exception], tuple[int, str]] = {
    KeyReused: (422, "This Idempotency-Key came with another body before: use a new one."),
    Reserved: (409, "Another one holds this unique key already."),
    Conflict: (409, "Others kept changing this at the same time: send it again."),
    Unavailable: (503, "The service cannot take this now: send it again."),
    Stopping: (503, "This process of the service ends: send it again."),
}
"""What an exception means to the caller, under its own name: status and detail."""


HELD = "Other work of the service (a rebuild, a redrive, a hand in its database) holds this: send it again."


def problem_of(error: Exception) -> Problem:
    """What an exception means to the caller; of one that means nothing to him, a bug, it is the cause."""
    name = type(error).__name__
    if isinstance(error, Problem):
        return error
    if isinstance(error, Refusal):
        places = (Place(at=error.place, expected=error.message[:400]),) if error.place else ()
        problem = Problem(404 if error.rule == "NotFound" else 409, error.rule, error.message, places)
        problem.on_record = error.command_id if isinstance(error, Refused) else None
        return problem
    if isinstance(error, EventTooLarge):
        return Unreadable(413, name, str(error), (Place(at="", expected=str(error)),))
    if isinstance(error, RequestValidationError) and not isinstance(error.__cause__, JSONDecodeError):
        detail = "The request does not fit its schema; see places."
        return Unreadable(422, "Malformed", detail, places_of(error))
    if isinstance(error, HTTPException | RequestValidationError) and error.__cause__:
        return Unreadable(400, "NotJson", "The body is no JSON; see places.", (_place(error.__cause__),))
    if isinstance(error, HTTPException):
        return Problem(error.status_code, "NotServed", str(error.detail))
    if isinstance(error, LockNotAvailable):
        return Problem(503, "Busy", HELD)
    if is_lost(error):
        return Problem(503, "Unavailable", "The database is away, or cannot serve this now: send it again.")
    if type(error) in MEANINGS:
        status, detail = MEANINGS[type(error)]
        return Problem(status, name, detail)
    bug = Problem(500, "Bug", "Something went wrong on our side; it is in the log.")
    bug.__cause__ = error
    return bug


def tell_where(problem: Problem, named: Mapping[str, Any], body: Any) -> None:
    """Bring the places of a refusal, which knows fields alone, to where the request has them: path or body.

    What there is not stands under the name of the thing, else under what it derives from (an episode's
    coverage, a payer's contract), which comes first.
    """
    fields = body if isinstance(body, dict) else {}
    ways = {**{name: f"/{name}" for name in fields}, **{name: f"path {name}" for name in named}}
    first = next(iter([*(ways[name] for name in named), *ways.values()]), "")
    nothing = problem.rule == "NotFound"

    def place_of(place: Place) -> Place:
        bare = nothing and not place.at.startswith(("/", "path "))
        name = place.at.removeprefix("/")
        moves = bare or (name in named and name not in fields)
        return Place(at=ways.get(name, first)[:120], expected=place.expected) if moves else place

    problem.places = tuple(map(place_of, problem.places))


def json_of(body: bytes) -> Any:
    """What a body says; None where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _place(error: BaseException) -> Place:
    """Where a body cannot be read as JSON."""
    if isinstance(error, JSONDecodeError):
        return Place(at=f"line {error.lineno} column {error.colno}", expected="valid JSON")
    if isinstance(error, UnicodeDecodeError):
        return Place(at=f"byte {error.start + 1}", expected="UTF-8")
    return Place(at="body", expected="JSON that nests less deeply, with shorter numbers")


def places_of(error: RequestValidationError) -> tuple[Place, ...]:
    """Where a request does not fit its schema, as JSON pointers; the same at one place is told once."""
    faults = dict.fromkeys((_pointer(known(item))[:120], expected_of(item)) for item in error.errors())
    return tuple(Place(at=at, expected=expected) for at, expected in [*faults][:20])


def _pointer(loc: tuple[Any, ...]) -> str:
    if loc and loc[0] == "body":  # RFC 6901: the body itself is ""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc[1:])
    return " ".join(str(part) for part in loc)


ANSWERED = (HTTPException, RequestValidationError, Refusal, EventTooLarge, *LOST, *MEANINGS, Exception)
"""What an application answers with a problem document: everything."""
