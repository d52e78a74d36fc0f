"""The doors of every service, in this process and without servers: what a wrong request is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI, Request

from chassis.config import Settings
from chassis.service import Service
from operations import api
from services.audit.app import service as audit
from services.billing.app import service as billing
from services.clinical.app import service as clinical
from services.intake.app import service as intake
from services.notifications.app import service as notifications
from services.scheduling.app import service as scheduling
from web.application import application
from web.http import as_told, calling
from web.problems import document, problem_of

SERVICES = (intake, clinical, scheduling, billing, notifications, audit)

Json = Any
Path = tuple[str | int, ...]


def named(name: str) -> Service:
    """The service of a name."""
    return next(service for service in SERVICES if service.name == name)


class Passed(Exception):
    """The request fits its schema."""


def door(service: Service) -> FastAPI:
    """A service's application without anything behind its schemas; made once, with its document."""
    return _door(service.name)


@cache
def _door(name: str) -> FastAPI:
    service = named(name)
    app = application(service, Settings())
    app.include_router(api.router)

    async def nobody(request: Request) -> None:
        """Nobody calls: what fits its schema fails in the route."""
        await as_told(request)

    app.dependency_overrides[calling] = nobody
    for kind in [found for found in app.exception_handlers if isinstance(found, type)]:
        app.add_exception_handler(kind, _unrecorded)
    return app


async def _unrecorded(request: Request, error: Exception) -> Any:
    return document(request, problem_of(error))


def client(app: FastAPI) -> httpx.AsyncClient:
    """Asks an application."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


@dataclass(frozen=True)
class Operation:
    """A way in that takes a body: where, and its schema and example."""

    method: str
    path: str
    schema: Json
    example: Json
    definitions: Json

    def places(self) -> Iterator[tuple[Path, Json]]:
        """Every place in the body with its schema, in the first item where there is a list."""
        yield from self._places((), self.schema)

    def _places(self, at: Path, schema: Json) -> Iterator[tuple[Path, Json]]:
        schema = self.definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)
        yield at, schema
        for name, part in schema.get("properties", {}).items():
            yield from self._places((*at, name), part)
        for part in schema.get("anyOf", ()):
            yield from self._places(at, part)
        if "items" in schema:
            yield from self._places((*at, 0), schema["items"])

    def body(self, at: Path, value: Json) -> Json:
        """The example with another value in a place."""
        return put(json.loads(json.dumps(self.example)), at, value)


def put(body: Json, at: Path, value: Json) -> Json:
    """A body with a value in a place, which is made where it is missing."""
    if not at:
        return value
    first, *rest = at
    if isinstance(first, int):
        items = body if isinstance(body, list) and body else [{}]
        return [put(items[0], tuple(rest), value), *items[1:]]
    fields = body if isinstance(body, dict) else {}
    return {**fields, first: put(fields.get(first), tuple(rest), value)}


def operations(app: FastAPI) -> Iterator[Operation]:
    """What takes a JSON body of a schema."""
    told = app.openapi()
    definitions = told["components"]["schemas"]
    for path, methods in told["paths"].items():
        for method, about in methods.items():
            schema = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema:
                model = definitions[schema["$ref"].rpartition("/")[2]]
                example = (model.get("examples") or [{}])[0]
                yield Operation(method, path, schema, example, definitions)


def parameters(app: FastAPI) -> Iterator[tuple[str, str, Json]]:
    """Every parameter of an address: method, path, what OpenAPI says of it."""
    for path, methods in app.openapi()["paths"].items():
        for method, about in methods.items():
            for parameter in about.get("parameters", ()):
                if parameter["in"] != "header":
                    yield method, path, parameter
