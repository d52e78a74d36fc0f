"""The published schemas: complete, closed, and strict enough to catch a record that is not ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from caretrail_contracts.catalogue import all_events, name_of
from caretrail_contracts.event import Event
from caretrail_contracts.examples import example
from caretrail_contracts.schemas import DIALECT, schema_of
from caretrail_contracts.sealed import sealed_fields
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

EVENTS = pytest.mark.parametrize("event", all_events(), ids=name_of)
WRONG: tuple[Any, ...] = ("wrong", 7.5, True, ["x"], {"x": 1})
"""One value of each JSON type; those that a place allows are left out."""


def body(event: type[Event]) -> Any:
    return json.loads(example(event).to_bytes())


def valid(event: type[Event], document: Any, formats: bool = False) -> bool:
    checker = FormatChecker() if formats else None
    return bool(Draft202012Validator(schema_of(event), format_checker=checker).is_valid(document))


def objects(part: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of type object, with its pointer."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield at, part
        for key, inner in part.items():
            yield from objects(inner, f"{at}/{key}")
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from objects(inner, f"{at}/{index}")


def formats(part: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema with a format, with its pointer; not of what is sealed: it travels as ciphertext."""
    if isinstance(part, list):
        part = {str(index): inner for index, inner in enumerate(part)}
    if isinstance(part, dict):
        if isinstance(part.get("format"), str):
            yield at, part
        for key, inner in part.items():
            if key != "x-sealed":
                yield from formats(inner, f"{at}/{key}")


def test_formats_are_found_at_any_depth() -> None:
    found = {at.rpartition("/")[0] for event in all_events() for at, _ in formats(schema_of(event))}
    assert any("/$defs/" in at for at in found)
    assert any(at.endswith("/anyOf") for at in found)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document, at any depth."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(pairs):
        yield document, key
        if isinstance(value, dict | list):
            yield from places(value)


@EVENTS
def test_a_schema_is_valid_and_names_itself_as_records_do(event: type[Event]) -> None:
    schema = schema_of(event)
    Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["$id"]) == (DIALECT, event.schema_uri())


@EVENTS
def test_the_example_validates_with_and_without_formats(event: type[Event]) -> None:
    assert valid(event, body(event))
    assert valid(event, body(event), formats=True)


@EVENTS
def test_every_object_is_closed_and_needs_all_its_fields(event: type[Event]) -> None:
    for at, schema in objects(schema_of(event)):
        assert schema["additionalProperties"] is False, at
        assert schema.get("required", []) == list(schema["properties"]), at


@EVENTS
def test_a_record_without_a_field_does_not_validate(event: type[Event]) -> None:
    for index, _ in enumerate(places(body(event))):
        document = body(event)
        container, key = list(places(document))[index]
        if isinstance(container, dict):
            del container[key]
            assert not valid(event, document), key


@EVENTS
def test_a_record_with_a_field_added_anywhere_does_not_validate(event: type[Event]) -> None:
    assert not valid(event, body(event) | {"added": 1})
    for index, _ in enumerate(places(body(event))):
        document = body(event)
        container, key = list(places(document))[index]
        if isinstance(container[key], dict):
            container[key]["added"] = 1
            assert not valid(event, document), key


@EVENTS
def test_a_record_with_a_value_of_another_type_does_not_validate(event: type[Event]) -> None:
    for index, _ in enumerate(places(body(event))):
        original = body(event)
        container, key = list(places(original))[index]
        for wrong in WRONG:
            if type(wrong) is type(container[key]) or type(container[key]) is type(None):
                continue
            document = copy.deepcopy(original)
            changed, _ = list(places(document))[index]
            changed[key] = wrong
            assert not valid(event, document), (key, wrong)


@EVENTS
def test_an_id_a_date_and_a_time_are_checked_even_where_formats_are_not(event: type[Event]) -> None:
    for at, schema in formats(schema_of(event)):
        assert "pattern" in schema, at
    for index, _ in enumerate(places(body(event))):
        document = body(event)
        container, key = list(places(document))[index]
        if key in ("patient", "episode", "starts_at", "service_date"):
            container[key] = "wrong"
            assert not valid(event, document)


@EVENTS
def test_sealed_fields_say_what_is_inside(event: type[Event]) -> None:
    schema = schema_of(event)
    for name, kind in sealed_fields(event).items():
        places = schema["properties"][name].get("anyOf", [schema["properties"][name]])
        place = schema["$defs"][places[0]["$ref"].rpartition("/")[2]]
        assert place["x-sealed"]["title"] == kind.__name__


@given(st.sampled_from(all_events()), st.data())
def test_what_a_model_writes_validates_against_its_schema(event: type[Event], data: st.DataObject) -> None:
    document = body(event)
    for name, schema in schema_of(event)["properties"].items():
        nullable = {"type": "null"} in schema.get("anyOf", [])
        if nullable and data.draw(st.booleans()):
            document[name] = None
    written = event.model_validate_json(json.dumps(document)).to_bytes()
    assert valid(event, json.loads(written), formats=True)
