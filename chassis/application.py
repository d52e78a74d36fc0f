"""The ASGI application of a service: its routes, problem documents, limits, and the runtime's life."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from caretrail_contracts.envelope import Actor
from caretrail_contracts.system import Place
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import internal, problems
from chassis.config import Settings
from chassis.http import Caller, has_token, is_loopback
from chassis.problems import Problem, document, places_of
from chassis.runtime import Role, Runtime
from chassis.service import Service

OPEN_PATHS = ("/health/live", "/health/ready")
"""What answers without a credential."""


class TokenMissing(Exception):
    """A service refuses any address but a loopback one without CARETRAIL_API_TOKEN."""


def application(service: Service, settings: Settings, role: Role = Role.ALL) -> FastAPI:
    """The application of a service in a role. Raises TokenMissing."""
    if not is_loopback(settings.host) and settings.api_token is None:
        raise TokenMissing(
            f"{settings.host} is not a loopback address: set CARETRAIL_API_TOKEN to listen there"
        )

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with Runtime(service, settings, role) as runtime:
            app.state.runtime, app.state.ground = runtime, runtime.ground
            yield

    app = FastAPI(title=f"Caretrail {service.name}", version="1", lifespan=life)
    problems.install(app)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_middleware(Limits, settings=settings)
    app.include_router(internal.router)
    if service.router and role.includes(Role.API):
        app.include_router(service.router, tags=[service.name])
    return app


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """A request that does not fit its schema."""
    assert isinstance(error, RequestValidationError)
    detail = "The request does not fit its schema; see places."
    return await _refused(request, await request.body(), Problem(422, "Malformed", detail, places_of(error)))


async def _refused(request: Request, body: bytes, problem: Problem) -> JSONResponse:
    """Record a request that nobody could take, whoever sent it, and say why; its key stays reusable."""
    ground = request.app.state.ground
    id, _, role = request.headers.get("caretrail-actor", "").partition(";")
    actor = Actor(id[:120] or "unknown", role[:120] or "unknown")
    purpose = request.headers.get("caretrail-purpose", "unknown")[:20]
    digest = bytes.fromhex(await ground.doors.digest("body", body.hex()))
    await Caller(request, ground, actor, purpose, digest).note_refused(problem, body)
    return document(request, problem)


class Limits:
    """Refuses bodies over the limit and, where a token is in force, requests without it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._max = app, settings.body_bytes_max
        self._token = settings.api_token.get_secret_value() if settings.api_token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._token and scope["path"] not in OPEN_PATHS and not has_token(request, self._token):
            problem = Problem(401, "Unauthorized", "Send the credential in force as a Bearer token.")
            await document(request, problem)(scope, receive, send)
            return
        await self._within(request, scope, receive, send)

    async def _within(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body up to the limit, then let the application have it."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if len(body) > self._max:
                answer = await _refused(request, bytes(body), _too_large(self._max))
                await answer(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


def _too_large(limit: int) -> Problem:
    place = Place(at=f"byte {limit + 1}", expected=f"at most {limit} bytes")
    return Problem(413, "BodyTooLarge", f"The body is larger than {limit} bytes.", (place,))
