"""HTTP: who calls and why, idempotent commands, reads that wait for a position."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any
from uuid import UUID, uuid4

from caretrail_contracts.envelope import Actor, Purpose
from caretrail_contracts.sealed import Sealed
from caretrail_contracts.system import AccessRecorded, Place
from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from chassis.command import Cause, Command
from chassis.ids import derive
from chassis.office import Ground, Office
from keystore.doors import Erased
from web.counting import OUTCOMES
from web.problems import Problem, Unreadable, route_of
from web.reading import read

JSON = "application/json"
NO_BODY = (b"", b"{}", b"null")

OWN_IDS, OWN_ROLES = ("service:",), ("policy:", "adapter:", "consumer")
"""What the system calls itself on record: nobody who calls may take such an id or role."""

ACTOR = "an id and a role in UTF-8, such as staff-7;coordinator, neither of them a service's own"

POSITION = "^[0-9]{1,19}$"

OPEN_PATHS = ("/health/live", "/health/ready")
"""What answers without a credential, and whatever stands behind the ?: probes add to it."""

WAIT_MAX_S = 5.0
"""How long a read waits for the position it asks for."""


class Accepted(BaseModel):
    """What a command led to. Give ``position`` back as ``Caretrail-After`` to read your own write."""

    command_id: UUID
    position: int
    streams: dict[str, int]
    repeated: bool = False


class Caller(Office):
    """Who calls, for what purpose, and what they may use; made from a request's headers."""

    def __init__(self, request: Request, ground: Ground, actor: Actor, purpose: str, digest: bytes) -> None:
        super().__init__(ground)
        self._request, self._digest = request, digest
        self.actor, self.purpose = actor, purpose
        self.owner = ground.store.owner

    @cached_property
    def command_id(self) -> UUID:
        """The command's id, from service, actor, method, path and key. Raises Problem without a key."""
        if not (key := self._request.headers.get("idempotency-key")):
            raise _unfit(self._request, "Idempotency-Key", "a new key for each command, kept for its repeats")
        return derive(self._ground.service.name, self.actor.id, *_route(self._request), key)

    def cause(self, step: str = "") -> Cause:
        """The cause of this request's command; a request with several names each by a step."""
        id = derive(self.command_id, step) if step else self.command_id
        return self._caused(id)._replace(correlation_id=self.command_id, digest=self._digest)

    async def execute(self, command: Command, step: str = "") -> Accepted:
        """Carry out a command; a repeat gives the first answer. Raises Refused and the like."""
        answer = await self._ground.executor.execute(command, self.cause(step))
        OUTCOMES[answer.repeated].inc()
        return Accepted.model_validate(answer, from_attributes=True)

    async def open(
        self, patient: UUID | None, sealed: list[Sealed[Any]], *, resource: str
    ) -> list[Any | Erased]:
        """Open values; the access is recorded before they are returned."""
        return await self._ground.open(self._look(patient, resource), patient, sealed, resource)

    async def note_access(self, patient: UUID | None, *, resource: str) -> None:
        """Record that the caller is shown something of a patient's, sealed values apart."""
        access = AccessRecorded(resource=resource, action="read", kinds=())
        await self._ground.note(self._look(patient, resource), "access", access, patient)

    async def note_refused(self, problem: Problem, body: bytes) -> None:
        """Record a refused body where an auditor looks for it, under the id that the problem is told with."""
        media_type = self._request.headers.get("content-type") or "application/octet-stream"
        door = f"{self._request.method} {route_of(self._request)}"
        cause = self._look()
        await self._ground.refuse_input(cause, door, problem.rule, problem.places, media_type, body)
        problem.on_record = cause.command_id

    def _look(self, *about: object) -> Cause:
        """The cause of a look or a refusal: one for repeats with a key, else a new one each time."""
        key = self._request.headers.get("idempotency-key") or uuid4()
        who = (self._ground.service.name, "look", self.actor.id)
        id = derive(*who, *_route(self._request), key, self._digest.hex(), *about)
        return self._caused(id)

    def _caused(self, id: UUID) -> Cause:
        return Cause(command_id=id, actor=self.actor, purpose=self.purpose, correlation_id=id)


def _route(request: Request) -> tuple[str, str]:
    return request.method, request.scope["path"]


def _unfit(request: Request, header: str, expected: str) -> Unreadable:
    """The problem of a header that is missing, or does not fit."""
    rule, fault = ("Unfit", "does not fit") if request.headers.get(header) else ("Missing", "is missing")
    detail, place = f"The header {header} {fault}: expected {expected}.", Place(at=header, expected=expected)
    return Unreadable(400, f"Header{rule}", detail, (place,))


async def readable(request: Request) -> None:
    """Raise Unreadable for a body of a media type that the route does not take, JSON in no UTF-8, or a
    parameter behind the ? that it does not know.

    A route takes JSON, or the types that its OpenAPI names. A body without a Content-Type is of no type.
    """
    route, body = request.scope["route"], await request.body()
    if request.scope["query_string"] and request.scope["path"] not in OPEN_PATHS:
        _see_parameters(route, set(request.query_params))
    taken = (route.openapi_extra or {}).get("requestBody", {}).get("content") or [JSON] * bool(
        route.body_field
    )
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and taken and said not in taken:
        place = Place(at="Content-Type", expected=" or ".join(taken))
        raise Unreadable(415, "MediaType", "A body of this media type is not taken; see places.", (place,))
    if not taken and body.strip() not in NO_BODY:
        raise Unreadable(422, "Malformed", "This takes no body.", (Place(at="", expected="no body"),))
    if route.body_field and b"\0" in body:  # in UTF-16 and UTF-32 every bracket has one
        place = Place(at=f"byte {body.index(0) + 1}", expected="UTF-8")
        raise Unreadable(400, "NotJson", "The body is no JSON; see places.", (place,))


def _see_parameters(route: APIRoute, given: set[str]) -> None:
    """Raise Unreadable for a parameter that the route does not know: misspelt, it would be ignored."""
    taken = list(_parameters(route.dependant))
    if given - set(taken):
        expected = f"no parameters but {', '.join(taken)}" if taken else "no parameters"
        place = Place(at="query", expected=expected)
        raise Unreadable(422, "Malformed", "A parameter is not known here; see places.", (place,))


def _parameters(part: Dependant) -> Iterator[str]:
    """Names of the parameters behind the ? that a route and what it depends on take."""
    yield from (field.alias for field in part.query_params)
    for other in part.dependencies:
        yield from _parameters(other)


async def as_told(request: Request) -> None:
    """Raise Unreadable or RequestValidationError for a body that is not as its route's schema says."""
    field, body = request.scope["route"].body_field, await request.body()
    if field and body:
        read(field.field_info.annotation, body)


async def calling(request: Request) -> Caller:
    """The caller of a request. Raises Unreadable where a header does not fit, then as ``as_told``."""
    ground: Ground = request.app.state.ground
    if not (actor := actor_of(request)):
        raise _unfit(request, "Caretrail-Actor", ACTOR)
    if not (purpose := purpose_of(request)):
        raise _unfit(request, "Caretrail-Purpose", f"one of {', '.join(Purpose)}")
    digest = bytes.fromhex(await ground.doors.digest("body", (await request.body()).hex()))
    await _wait_for(ground, request)
    await as_told(request)
    return Caller(request, ground, actor, purpose, digest)


Calling = Annotated[Caller, Depends(calling)]


def actor_of(request: Request) -> Actor | None:
    """Who a request says acts; None where the header does not fit."""
    try:
        text = request.headers.get("caretrail-actor", "").encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
    id, role = (part.strip() for part in (*text.split(";", 1), "")[:2])
    ours = id.lower().startswith(OWN_IDS) or role.lower().startswith(OWN_ROLES)
    fits = id and role and not ours and len(text) <= 120 and text.isprintable()
    return Actor(id, role) if fits else None


def purpose_of(request: Request) -> str | None:
    """What a request says it is for; None where that is no purpose of use."""
    purpose = request.headers.get("caretrail-purpose", "")
    return purpose if purpose in set(Purpose) else None


async def _wait_for(ground: Ground, request: Request) -> None:
    """Wait until the service's own projections have applied a position.

    Raises Unreadable at once for one that the store has not come to, Problem where time is up.
    """
    after = request.headers.get("caretrail-after")
    if after is None:
        return
    if not re.fullmatch(POSITION, after):
        raise _unfit(request, "Caretrail-After", "a position, as a command's answer gives it")
    deadline, head = asyncio.get_running_loop().time() + WAIT_MAX_S, 0
    while True:
        if await ground.has_applied(int(after)):
            return
        # A position is given once its events are in the store: what is not there now was never given.
        if head < int(after) and (head := await ground.store.head()) < int(after):
            own = f"a position of this service's own events, which end at {head}"
            raise _unfit(request, "Caretrail-After", own)
        if asyncio.get_running_loop().time() > deadline:
            raise Problem(503, "NotCaughtUp", f"The position was not applied within {WAIT_MAX_S:.0f} s.")
        await asyncio.sleep(0.01)


def has_token(request: Request, token: str) -> bool:
    """Whether a request carries the credential in force."""
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())
