"""The OpenAPI document: what the routes do not say of themselves, told once for all of them.

Headers by the dependency that reads them, the credential, and an example of each answer, made of the same
invented patient's facts as the examples of events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

from caretrail_contracts.envelope import Purpose
from caretrail_contracts.story import BY_FIELD, example_id
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from web.counting import is_command
from web.http import ACTOR, JSON, OPEN_PATHS, POSITION, calling

Json = Any

WORDS = json.loads(files("web").joinpath("words.json").read_bytes())
"""The words for headers and credential, and what ``story`` (by field), ``models`` (by model, then field),
``sealed`` (fields shown closed) and ``answers`` (whole ones) add to the facts of the examples."""

STORY: dict[str, tuple[Any, ...]] = {**BY_FIELD, **{name: (said,) for name, said in WORDS["story"].items()}}
"""What the fields of answers hold in the examples; a field takes the first that its schema allows."""

SEALED = "‹sealed›"

WITHOUT_KEY = ("/commands",)
"""Takes commands that bring a key each."""

WITH_KEY = ("/internal/topic/republish",)
"""What an operator has done once for a key, as commands are."""

CREDENTIAL = "token"
SCHEME = {"type": "http", "scheme": "bearer", "description": WORDS["credential"]}


def _header(name: str, schema: Json, example: Any, *, required: bool = True) -> Json:
    about = {"description": WORDS["headers"][name], "schema": schema, "example": example}
    return {"name": name, "in": "header", "required": required, **about}


WHO = (
    _header("Caretrail-Actor", {"type": "string", "maxLength": 120, "title": ACTOR}, "staff-7;coordinator"),
    _header("Caretrail-Purpose", {"type": "string", "enum": [*Purpose]}, Purpose.TREATMENT.value),
    _header("Caretrail-After", {"type": "string", "pattern": POSITION}, "0", required=False),
)
"""What ``calling`` reads of every request."""

KEY = _header("Idempotency-Key", {"type": "string", "minLength": 1}, "intake-desk-2041")
"""What a command is known by."""


class Documented(FastAPI):
    """An application whose document is whole."""

    needs_token = False
    """Whether a credential is in force; where none is, one may be sent all the same."""

    _told: Json = None

    def openapi(self) -> dict[str, Any]:
        """The document of the routes that there are now."""
        if (told := super().openapi()) is not self._told:
            _complete(told, self)
            self._told = told
        return told


def _complete(told: Json, app: Documented) -> None:
    parts = told.get("components", {}).get("schemas", {})
    told.setdefault("components", {})["securitySchemes"] = {CREDENTIAL: SCHEME}
    for method, path, route in _routes(app):
        if not (operation := told["paths"].get(path, {}).get(method.lower())):
            continue
        if headers := [*_headers(method, path, route)]:
            operation["parameters"] = [*operation.get("parameters", ()), *headers]
        if path not in OPEN_PATHS:
            operation["security"] = [{CREDENTIAL: []}, *([] if app.needs_token else [{}])]
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                _exemplify(answer, parts, WORDS["answers"].get(f"{method} {path}"))


def _routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            yield from ((method, str(context.path), route) for method in route.methods or ())


def _headers(method: str, path: str, route: APIRoute) -> Iterator[Json]:
    """The headers that a route reads; a command's key too."""
    if not _calls(route.dependant):
        return
    yield from WHO
    if path in WITH_KEY or (is_command(method, path) and path not in WITHOUT_KEY):
        yield KEY


def _calls(part: Dependant) -> bool:
    return part.call is calling or any(map(_calls, part.dependencies))


def _exemplify(answer: Json, parts: Json, said: Json) -> None:
    """An example of an answer in JSON: what is said of it, where its schema does not name its fields."""
    if content := answer.get("content", {}).get(JSON):
        with suppress(NoExample):
            said = _example("", content["schema"], parts)
        if said is not None:
            content["example"] = said


class NoExample(LookupError):
    """A schema says too little to make an example of."""


def _example(name: str, schema: Json, parts: Json) -> Any:
    """An example of a field. Raises NoExample."""
    if "$ref" in schema:
        schema = parts[schema["$ref"].rpartition("/")[2]]
    if choices := [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]:
        return _example(name, choices[0], parts)
    if name in WORDS["sealed"] and not schema.keys() & TYPED:
        return SEALED
    for candidate in STORY.get(name, ()):
        if _fits(candidate, schema):
            return candidate
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    if make := MAKE.get(schema.get("type", "")):
        return make(name, schema, parts)
    raise NoExample(name)


def _object(name: str, schema: Json, parts: Json) -> Json:
    if "properties" not in schema:
        raise NoExample(name)
    said = WORDS["models"].get(schema.get("title"), {})
    fields = schema["properties"].items()
    return {field: said[field] if field in said else _example(field, part, parts) for field, part in fields}


def _array(name: str, schema: Json, parts: Json) -> Json:
    if "items" not in schema:
        raise NoExample(name)
    return [_example(name, schema["items"], parts)]


def _string(name: str, schema: Json, parts: Json) -> str:
    made = {"uuid": str(example_id(name)), "date": "2026-03-09", "date-time": "2026-03-09T14:00:00Z"}
    if (text := made.get(schema.get("format", ""), "0.00")) and _fits(text, schema):
        return text
    raise NoExample(name)


MAKE: dict[str, Callable[[str, Json, Json], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": lambda name, schema, parts: schema.get("minimum", 1),
    "boolean": lambda name, schema, parts: False,
}
"""What is made of a schema by its type, where the story has nothing for a field."""

TYPED = {"type", "$ref", "allOf", "oneOf"}
TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
FORMATS: dict[str, Callable[[str], Any]] = {
    "uuid": UUID,
    "date": date.fromisoformat,
    "date-time": datetime.fromisoformat,
}


def _fits(value: Any, schema: Json) -> bool:
    """Whether a value of the story is one that a schema without parts allows."""
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if type(value) is not TYPES.get(schema.get("type", ""), object if "type" in schema else type(value)):
        return False
    if isinstance(value, list):
        return "$ref" not in schema["items"] and all(_fits(item, schema["items"]) for item in value)
    if not isinstance(value, str):
        return True
    try:
        FORMATS.get(schema.get("format", ""), str)(value)
    except ValueError:
        return False
    return re.search(schema.get("pattern", ""), value) is not None
