"""JSON bodies, read as their published schemas say: no text for a number, no number for a date."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
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
        found = _reader(kind).validate_json(body.removeprefix(BOM_UTF8), strict=True)
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
    return None if _all_differ(body) else next(_twice(json.loads(body, object_pairs_hook=_Pairs), ()), None)


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _all_differ(body: bytes) -> bool:
    """Whether no two names are equal, wherever they stand: a quarter of what reading every object costs."""
    if b"\\" in body:  # the one thing that lets a quote stand in a text
        return False
    parts = body.split(b'"')
    names = [name for name, after in zip(parts[1::2], parts[2::2], strict=True) if after.lstrip()[:1] == b":"]
    return len(set(names)) == len(names)


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
