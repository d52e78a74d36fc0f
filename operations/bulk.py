"""Many commands in one request: a line of JSON each (NDJSON), each answered on a line of its own."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, get_type_hints

from caretrail_contracts.system import Place
from fastapi import APIRouter, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, create_model
from starlette.routing import compile_path

from chassis.office import Ground
from chassis.refusal import Refusal
from operations.pressure import Pressure
from web.http import Accepted, Caller, Calling
from web.problems import RESPONSES, Unreadable, document, problem_of, tell_where
from web.reading import read

MEDIA_TYPE = "application/x-ndjson"

router = APIRouter(tags=["commands"])

EXTRA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A line of JSON for each command.",
        "content": {
            MEDIA_TYPE: {
                "schema": {"type": "string"},
                "example": '{"key":"import-7-1","path":"/tracks/adult-evening/placements","body":{}}\n',
            }
        },
    }
}

AT_ONCE = 512
"""Lines under way at once: enough for two group commits, one that is written and one that gathers."""


class Line(BaseModel):
    """A command as a request of its own would send it: key, path and body."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
    path: Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]{0,400}$")]
    body: dict[str, Any] | None = None


class NdjsonResponse(StreamingResponse):
    """Lines of JSON, each sent when it is known."""

    media_type = MEDIA_TYPE


@dataclass(frozen=True, slots=True)
class Door:
    """The route of a command, and what its endpoint is given but for the caller."""

    route: APIRoute
    pattern: re.Pattern[str]
    named: type[BaseModel]
    line: type[Line]

    @classmethod
    def of(cls, route: APIRoute, path: str) -> Door | None:
        """The door of a route that is served at a path; None where it takes no command as JSON."""
        pattern, _, named = compile_path(path)
        hints = get_type_hints(route.endpoint, include_extras=True)
        parameters = dict(inspect.signature(route.endpoint).parameters)
        parameters.pop("caller", None)
        if not _accepts(hints.get("return")) or set(parameters) - {"body", *named}:
            return None
        body: Any = (hints["body"], ...) if parameters.pop("body", None) else (None, None)
        fields: dict[str, Any] = {name: (hints[name], ...) for name in parameters}
        return cls(
            route,
            pattern,
            create_model(f"{route.name}_path", **fields),
            create_model(f"{route.name}_line", __base__=Line, body=body),
        )

    async def carry_out(self, caller: Caller, named: dict[str, Any], line: bytes) -> Any:
        """Call the endpoint as the framework would. Raises RequestValidationError and what it raises."""
        try:
            given = dict(self.named.model_validate(named))
        except ValidationError as error:
            faults = [{**item, "loc": ("body", "path")} for item in error.errors()]
            raise RequestValidationError(faults) from None
        body = read(self.line, line).body
        more = {} if body is None else {"body": body}
        return await self.route.endpoint(caller=caller, **given, **more)


def _accepts(answer: Any) -> bool:
    """Whether a route with this answer carries out a command."""
    return isinstance(answer, type) and issubclass(answer, Accepted)


def _in_line(place: Place) -> Place:
    """A place of the request that a line stands for, as a place of the line."""
    if place.at.startswith("/"):
        return Place(at=f"/body{place.at}", expected=place.expected)
    return Place(at="/path", expected=place.expected) if place.at.startswith("path ") else place


def doors(router: APIRouter) -> list[Door]:
    """The doors of all commands that a router takes."""
    found = [
        Door.of(context.original_route, str(context.path))
        for context in iter_route_contexts(router.routes)
        if isinstance(context.original_route, APIRoute)
    ]
    return [door for door in found if door]


class Bulk:
    """Carries lines out for one caller."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self._request, self._caller = request, caller
        self._ground: Ground = request.app.state.ground
        self._doors: list[Door] = request.app.state.doors
        self._pressure: Pressure = request.app.state.pressure
        self._door = lru_cache(maxsize=1_024)(self._find)

    async def answers(self, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The answer of each line, in the order of the lines, which are carried out side by side."""
        under_way: deque[asyncio.Task[bytes]] = deque()
        try:
            for number, line in enumerate(lines, 1):
                under_way.append(asyncio.create_task(self._answer(number, line)))
                if len(under_way) == AT_ONCE:
                    yield b"".join([await under_way.popleft() for _ in range(AT_ONCE // 2)])
            yield b"".join([await under_way.popleft() for _ in range(len(under_way))])
        finally:
            for left in under_way:
                left.cancel()

    async def _answer(self, number: int, line: bytes) -> bytes:
        key, request, caller, more = None, self._request, self._caller, b""
        command, named = None, dict[str, Any]()
        try:
            await self._pressure.admit()
            command = _read(line)
            key = command.key
            door, named = self._door(command.path)
            request = self._alone(command, door)
            caller = await self._asking(request, line.hex())
            status, found = door.route.status_code or 200, await door.carry_out(caller, named, line)
            said = found.model_dump_json(by_alias=True).encode()
        except Exception as error:
            problem = problem_of(error)
            if command is not None:
                tell_where(problem, named, command.body)
            if isinstance(error, Refusal):
                problem.places = tuple(map(_in_line, problem.places))
            if isinstance(problem, Unreadable):
                try:
                    if caller is self._caller:  # nobody knows its door: on record as a line of the whole
                        caller = await self._asking(request, f"{number}|{line.hex()}")
                    await caller.note_refused(problem, line)
                except Exception as unrecorded:  # then the line is not refused: it is to be sent again
                    problem = problem_of(unrecorded)
            status, said = problem.status, bytes(document(request, problem).body)
            if wait_s := (problem.headers or {}).get("Retry-After"):
                more = b'"retry_after":%s,' % wait_s.encode()
        return b'{"line":%d,"key":%s,"status":%d,%b"body":%s}\n' % (
            number,
            json.dumps(key).encode(),
            status,
            more,
            said,
        )

    async def _asking(self, request: Request, body: str) -> Caller:
        """The caller with a request that a line stands for."""
        digest = bytes.fromhex(await self._caller.digest("body", body))
        return Caller(request, self._ground, self._caller.actor, self._caller.purpose, digest)

    def _find(self, path: str) -> tuple[Door, dict[str, Any]]:
        for door in self._doors:
            if found := door.pattern.match(path):
                return door, found.groupdict()
        place = Place(at="/path", expected="the path of a command of this service, see its OpenAPI document")
        raise Unreadable(404, "NotServed", "No command has this path.", (place,))

    def _alone(self, command: Line, door: Door) -> Request:
        """The request that the line stands for."""
        headers = [
            (b"idempotency-key", command.key.encode()),
            (b"content-type", b"application/json"),
        ]
        scope = {"type": "http", "method": "POST", "path": command.path, "query_string": b""}
        return Request({**scope, "headers": headers, "route": door.route, "app": self._request.app})


def _read(line: bytes) -> Line:
    """A line's command. Raises what a body that cannot be read, or does not fit, does."""
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "no JSON") from error
    try:
        return Line.model_validate(found)
    except ValidationError as error:
        faults = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(faults) from None


@router.post("/commands", response_class=NdjsonResponse, responses=RESPONSES, openapi_extra=EXTRA)
async def commands(request: Request, caller: Calling) -> NdjsonResponse:
    """Carry out many commands, a line of JSON each with ``key``, ``path`` and ``body``.

    Each line is what a request of its own to ``path`` would be: its ``key`` is that request's
    Idempotency-Key, and its answer holds that request's ``status`` and ``body``. To repeat a line send
    the same line: of a command that was sent alone before, a line with its key is told as KeyReused. A line
    that is refused keeps no other from being carried out. Lines are carried out side by side and answered in
    their order: a command that builds on another one belongs into a later request. A line that finds too much
    waiting is answered with 503 and, as ``retry_after``, the seconds until it is worth sending it again. The
    body is limited as every other; send as many requests as there is to send.
    """
    lines = (line for line in (await request.body()).split(b"\n") if line.strip())
    return NdjsonResponse(Bulk(request, caller).answers(lines))
