"""Control characters are refused in everything that people write, at every service's door."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from chassis.service import Service
from services.intake.api.bodies import ContactBody, PersonBody
from tests.api.doors import SERVICES, door, operations, parameters
from web.problems import places_of
from web.text import Line, Lines, Name

CONTROL = [*map(chr, range(32)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u2028"]
BREAKS = "\t\r\n\x7f\u2028"
"""What may stand in a text of several lines."""


def unbound(schema: dict[str, Any]) -> bool:
    """Whether a text may hold a NUL as far as its schema goes."""
    if schema.get("type") != "string" or schema.keys() & {"format", "enum", "const"}:
        return False
    return re.search(schema.get("pattern", ""), "Aa\0a@b") is not None


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_no_text_may_hold_a_nul(service: Service) -> None:
    app = door(service)
    found = [(each.path, at, part) for each in operations(app) for at, part in each.places() if unbound(part)]
    found += [(path, each["name"], each) for _, path, each in parameters(app) if asks_text(each)]
    assert found == []


def asks_text(parameter: dict[str, Any]) -> bool:
    """Whether a query may hold a control character."""
    kinds = parameter["schema"].get("anyOf", [parameter["schema"]])
    return parameter["in"] == "query" and any(map(unbound, kinds))


@pytest.mark.parametrize("letter", CONTROL, ids=ascii)
def test_a_line_holds_no_control_character_and_lines_hold_breaks_alone(letter: str) -> None:
    text = f"Ana{letter}Maria"
    for kind in (Name, Line, *(() if letter in BREAKS else (Lines,))):
        with pytest.raises(ValidationError):
            TypeAdapter[str](kind).validate_python(text)
    if letter in BREAKS:
        assert TypeAdapter[str](Lines).validate_python(text) == text


@pytest.mark.parametrize(
    ("model", "body", "at"),
    [
        (PersonBody, {"family": "Riv\0era", "given": "Ana"}, "/family"),
        (PersonBody, {"family": "Rivera", "given": "Ana\n"}, "/given"),
        (ContactBody, {"phone": "518\x1b555"}, "/phone"),
        (
            ContactBody,
            {"address": {"line": "1\x00", "city": "A", "state": "NY", "postal_code": "12207"}},
            "/address/line",
        ),
    ],
)
def test_the_place_is_told_and_the_value_is_not(model: Any, body: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    error = RequestValidationError(
        [{**item, "loc": ("body", *item["loc"])} for item in caught.value.errors()]
    )
    [place] = places_of(error)
    assert (place.at, place.expected) == (at, "text on one line, not blank, without control characters")


@pytest.mark.parametrize("email", ["a\0b@example.org", "ab@exam\x1fple.org", "ab@example.org\x7f"])
def test_a_mailbox_holds_no_control_character(email: str) -> None:
    with pytest.raises(ValidationError):
        ContactBody(email=email)
