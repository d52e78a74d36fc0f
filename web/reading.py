"""JSON bodies, read as their published schemas say: no text for a number, no number for a date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from caretrail_contracts.system import Place
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from web.problems import Unreadable

Loc = tuple[int | str, ...]


def read(kind: Any, body: bytes) -> Any:
    """What a body of a type says. Raises Unreadable, or RequestValidationError where it does not fit.

    Validated as JSON, a type takes the one form that its schema names. Of what a framework has parsed before,
    it has to take a text for a UUID or a date, and then takes one for a number too.
    """
    try:
        found = _reader(kind).validate_json(body, strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if faults[0]["type"] == "json_invalid":
            place = Place(at="body", expected="JSON of Unicode text that nests less deeply")
            raise Unreadable(400, "NotJson", "The body is no JSON; see places.", (place,)) from None
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in faults]) from None
    # After the schema: a name that it does not know could be anything, and no place repeats it.
    if at := given_twice(body):
        fault = {"type": "value_error", "loc": ("body", *at), "ctx": {"error": "each name once in an object"}}
        raise RequestValidationError([fault])
    return found


def given_twice(body: bytes) -> Loc | None:
    """Where JSON has a name that stands twice in its object: readers differ in which of the two counts."""
    twice = False

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        found = dict(pairs)
        twice = twice or len(found) < len(pairs)
        return found

    json.loads(body, object_pairs_hook=once)
    return next(_twice(json.loads(body, object_pairs_hook=_Pairs), ())) if twice else None


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON with every name that was given."""


def _twice(value: Any, at: Loc) -> Iterator[Loc]:
    if isinstance(value, _Pairs):
        names = [name for name, _ in value]
        for name, part in value:
            if names.count(name) > 1:
                yield (*at, name)
            yield from _twice(part, (*at, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _twice(part, (*at, index))
