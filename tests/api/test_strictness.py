"""A body is taken as its published schema says, or refused with the place: nothing is read into it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from chassis.service import Service
from operations.bulk import doors
from services.scheduling.api.routes import router as scheduling
from tests.api.doors import SERVICES, Path, client, door, operations
from web.problems import places_of
from web.reading import given_twice, read
from web.text import Line, Lines, Name, is_blank

EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))

JSON = {"Content-Type": "application/json"}
SECONDS = (583977600, 0.0, "583977600", "1795564800.5")

LAX: dict[str, tuple[Any, ...]] = {
    "date": (*SECONDS, "2026-03-02T00:00:00Z", "20260302"),
    "date-time": (*SECONDS, "2026-03-02", "2026-03-02T18:00:00", "2026-03-02T18Z", "2026-03-02 18:00:00Z"),
    "time": (64800, "64800"),
    "integer": ("180", "1", 1.0, True),
    "boolean": (1, "true", "no"),
}
"""What a lenient reader would take for a value, by the format or type of the schema."""

BLANK = ("  ", "\u00a0", "\u200b\u2060", "\u3000 \ufeff")


def at(path: Path) -> str:
    return "".join(f"/{part}" for part in path)


@EACH_SERVICE
async def test_no_other_form_of_a_value_is_taken(service: Service) -> None:
    app, taken, refused = door(service), [], 0
    async with client(app) as ask:
        for operation in operations(app):
            path = operation.path.replace("{", "").replace("}", "")
            for place, schema in operation.places():
                for value in LAX.get(schema.get("format") or schema.get("type", ""), ()):
                    body = json.dumps(operation.body(place, value))
                    answer = await ask.request(operation.method, path, content=body, headers=JSON)
                    places = answer.json().get("places", ()) if answer.status_code == 422 else ()
                    refused += answer.status_code == 422
                    if at(place) not in [each["at"] for each in places]:
                        taken.append((operation.path, at(place), value, answer.status_code))
    assert taken == []
    assert refused >= 4


@EACH_SERVICE
async def test_a_name_given_twice_is_refused_with_its_place(service: Service) -> None:
    app = door(service)
    async with client(app) as ask:
        for operation in filter(lambda each: each.example, operations(app)):
            path = operation.path.replace("{", "").replace("}", "")
            name, value = next(iter(operation.example.items()))
            pair = f"{json.dumps(name)}: {json.dumps(value)}"
            body = f"{{{pair}, {json.dumps(operation.example)[1:]}"
            answer = await ask.request(operation.method, path, content=body, headers=JSON)
            told = answer.json().get("places")
            assert (answer.status_code, told) == (
                422,
                [{"at": f"/{name}", "expected": "each name once in an object"}],
            )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]}', None),
        ('{"a": "\\"b\\": 1, \\"b\\": 2", "b": ": "}', None),
        ('{"a": 1, "\\u0061": 2}', ("a",)),
        ('{"a": [{}, {"b": 1, "c": "x", "b" : 1}]}', ("a", 1, "b")),
        ('{":a": "b", ":a": "b"}', (":a",)),
    ],
)
def test_names_are_told_from_texts_and_by_their_objects(body: str, place: Path | None) -> None:
    assert given_twice(body.encode()) == place


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/groups", '{"minutes": "180"}', "/body/minutes"),
        ("/tracks/t2/placements", '{"starts_on": 583977600}', "/body/starts_on"),
        ("/sessions/x/close", '{"members": [{"started_at": "1795564800"}]}', "/body/members/0/started_at"),
        ("/sessions/x/cancel", '{"reason": "ill", "reason": "storm"}', "/body/reason"),
    ],
)
def test_a_line_of_many_is_taken_like_a_request_of_its_own(path: str, body: str, place: str) -> None:
    [found] = [each for each in doors(scheduling) if each.pattern.match(path)]
    with pytest.raises(RequestValidationError) as caught:
        read(found.line, f'{{"key": "k", "path": "{path}", "body": {body}}}'.encode())
    assert place in [each.at for each in places_of(caught.value)]


@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_what_prints_nothing_is_no_text(text: str) -> None:
    for kind in (Name, Line, Lines):
        with pytest.raises(ValidationError):
            TypeAdapter[str](kind).validate_python(text)
        assert TypeAdapter[str](kind).validate_python(f"{text}Ana") == f"{text}Ana"
    assert is_blank(text)
    assert not is_blank(f"{text}Ana")
