"""What a schema refuses is said in plain words: what was expected, in no library's phrases."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from caretrail_contracts.wording import expected_of
from pydantic_core._pydantic_core import list_all_errors

from chassis.service import Service
from tests.api.doors import SERVICES, client, door, operations, parameters
from web.problems import MEDIA_TYPE, SCHEMA

EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))

JSON = {"Content-Type": "application/json"}

WRONG: tuple[Any, ...] = (
    *(None, True, -1, 1.5, 10**30, "", " ", "Zyxwvut", "Zyx\0wvut", "Zyx\ud800", "x" * 5_000, "1.23456"),
    *([], [[]], ["Zyxwvut"] * 600, {}, {"Zyxwvut": 1}, "2026-02-30", "2026-03-02T25:00", "1990-01-01"),
    *("00000000-0000-0000-0000-00000000000g", "9999-12-31T23:59:59-23:59", "08:00Z", [1] * 30),
)
"""Values that do not fit in most places."""

ERRORS: dict[str, Any] = {item["type"]: item for item in list_all_errors()}
PHRASES = sorted(
    {
        phrase
        for item in ERRORS.values()
        for phrase in re.split(r"\{\w+\}|'", item["message_template_python"])
        if len(phrase.split()) > 2
    }
    | {"Decimal(", "Input", "Value error", "Field required", "String should", "Tuple should", "List should"}
)


def is_plain(words: str) -> bool:
    """Whether no phrase of pydantic's stands in it."""
    return bool(words) and not any(phrase in words for phrase in PHRASES)


@pytest.mark.parametrize("kind", sorted(ERRORS.keys() - {"value_error", "enum", "literal_error"}))
def test_every_error_of_pydantic_has_plain_words(kind: str) -> None:
    item = ERRORS[kind]
    said = expected_of(
        {"type": kind, "msg": item["message_template_python"], "ctx": item["example_context"] or {}}
    )
    assert is_plain(said), said


def faults(answer: Any, *told: str) -> list[str]:
    """What is not plain in the answer to a wrong request, or repeats its value."""
    if answer.status_code not in (400, 422):
        return []
    problem = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert problem.keys() <= SCHEMA["properties"].keys()
    assert problem["places"]
    said = [problem["detail"], *(place["expected"] for place in problem["places"])]
    return [f"{told}: {words}" for words in said if not is_plain(words) or "Zyx" in words]


@EACH_SERVICE
async def test_a_wrong_body_is_told_in_plain_words(service: Service) -> None:
    app, found, refused = door(service), [], 0
    async with client(app) as ask:
        for operation in operations(app):
            for at, _ in operation.places():
                for value in (*WRONG, {"Zyxwvut": 1, **operation.example}):
                    path = re.sub(r"\{\w+\}", "5c83405b-7326-5535-adc1-de198e5aeaf9", operation.path)
                    body = json.dumps(operation.body(at, value))  # in ASCII, lone surrogates too
                    answer = await ask.request(operation.method, path, content=body, headers=JSON)
                    refused += answer.status_code == 422
                    found += faults(answer, operation.path, str(at), repr(value)[:40])
    assert found == []
    assert refused > 100


@EACH_SERVICE
async def test_a_wrong_address_is_told_in_plain_words(service: Service) -> None:
    app, found, refused = door(service), [], 0
    async with client(app) as ask:
        for method, path, parameter in parameters(app):
            for value in ("Zyxwvut", "-1", "1.5", "", "9" * 30, "x" * 500, "2026-02-30"):
                name = parameter["name"]
                filled = path.replace("{" + name + "}", value or "-") if parameter["in"] == "path" else path
                filled = re.sub(r"\{\w+\}", "5c83405b-7326-5535-adc1-de198e5aeaf9", filled)
                query = {name: value} if parameter["in"] == "query" else {}
                answer = await ask.request(method, filled, params=query)
                refused += answer.status_code == 422
                found += faults(answer, path, name, value[:40])
    assert found == []
    assert refused > 5
