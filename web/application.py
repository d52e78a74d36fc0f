"""The ASGI application of a service: its routes, problem documents, limits, and the runtime's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from caretrail_contracts.envelope import Actor, Purpose
from caretrail_contracts.system import Place
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.config import Settings
from chassis.office import KEPT_BYTES_MAX
from chassis.runtime import Role, Runtime
from chassis.service import Service
from web.http import OPEN_PATHS, Caller, actor_of, has_token, purpose_of, readable
from web.openapi import Documented
from web.problems import (
    ANSWERED,
    RESPONSES,
    Problem,
    Stopping,
    Unreadable,
    document,
    json_of,
    problem_of,
    route_of,
    tell_where,
)

log = structlog.get_logger(__name__)

READ_ON = 4
"""Of a body over the limit this many times the limit is read at most."""


def application(service: Service, settings: Settings, role: Role = Role.ALL) -> FastAPI:
    """The application of a service in a role."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with Runtime(service, settings, role, app.state.seen) as runtime:
            app.state.runtime, app.state.ground = runtime, runtime.ground
            yield

    app = Documented(
        title=f"Caretrail {service.name}", version="1", lifespan=life, dependencies=[Depends(readable)]
    )
    app.state.seen = None
    app.needs_token = settings.api_token is not None
    for kind in ANSWERED:
        app.add_exception_handler(kind, _answered)
    app.add_middleware(Limits, settings=settings)
    if service.router and role.includes(Role.API):
        app.include_router(service.router, tags=[service.name], responses=RESPONSES)
    return app


async def _answered(request: Request, error: Exception) -> JSONResponse:
    """The problem that an error is; a request that nobody could take is on record first, whoever sent it."""
    if isinstance(error.__cause__, ClientDisconnect):  # the framework takes it for a body that is no JSON
        raise error.__cause__
    problem = problem_of(error)
    if problem.places and problem.status in (404, 409):
        tell_where(problem, request.path_params, json_of(await request.body()))
    if isinstance(problem, Unreadable):
        ground, body = request.app.state.ground, await request.body()
        # Of what does not fit nothing is repeated: it may be anything, and envelopes are not sealed.
        actor, purpose = actor_of(request), purpose_of(request)
        actor, purpose = actor or Actor("unknown", "unknown"), purpose or Purpose.OPERATIONS
        digest = bytes.fromhex(await ground.doors.digest("body", body.hex()))
        await Caller(request, ground, actor, purpose, digest).note_refused(problem, body)
    return document(request, problem)


class Limits:
    """Refuses bodies over the limit, NUL in addresses and, where a token is in force, requests without it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._max = app, settings.body_bytes_max
        self._token = settings.api_token.get_secret_value() if settings.api_token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, problem = Request(scope), None
        if self._token and scope["path"] not in OPEN_PATHS and not has_token(request, self._token):
            problem = Problem(401, "Unauthorized", "Send the credential in force as a Bearer token.")
        elif "\0" in scope["path"] or b"%00" in scope["query_string"]:
            problem = Problem(400, "Malformed", "The address holds a NUL, which stands in no name.")
        app, begun = document(request, problem) if problem else self._app, False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, self._limited(receive), sending)
        except ClientDisconnect:  # in the middle of its body: nobody is left to answer
            log.info("client_left", method=request.method, route=route_of(request))
        except asyncio.CancelledError:  # the process ends; an answer that has begun is cut
            if begun:
                log.info("answer_cut", method=request.method, route=route_of(request))
            else:
                await document(request, problem_of(Stopping()))(scope, receive, send)
            raise

    def _limited(self, receive: Receive) -> Receive:
        """Gives a body up to the limit. Of a larger one the rest is read, since its sender listens only
        then, and Unreadable raised; who asks again gets the beginning, for the record."""
        begin, size = bytearray(), 0

        async def limited() -> Message:
            nonlocal size
            if size > self._max:
                return {"type": "http.request", "body": bytes(begin)}
            message = await receive()
            body = message.get("body", b"")
            begin.extend(body[: KEPT_BYTES_MAX - len(begin)])
            size += len(body)
            if size > self._max:
                while message.get("more_body") and size < READ_ON * self._max:
                    message = await receive()
                    size += len(message.get("body", b""))
                place = Place(at=f"byte {self._max + 1}", expected=f"at most {self._max} bytes")
                raise Unreadable(413, "BodyTooLarge", "The body is too large; see places.", (place,))
            return message

        return limited
