"""Laws of the compatibility check, on random schemas: whatever it lets through, a validator takes."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from caretrail_contracts.catalogue import all_events
from caretrail_contracts.compatibility import Mode, first_break
from caretrail_contracts.event import Event
from caretrail_contracts.schemas import schema_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.contracts.random_schemas import Schema, edited, schema, value

COMPOSING = {"$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"}
VALUES_PER_PAIR = 12

RANDOM = st.randoms(use_true_random=False)


def closed(place: Schema, composed: bool = False) -> Schema:
    """The schema as its writer obeys it: where it names fields, it sends no others."""
    if not isinstance(place, dict):
        return place
    found = _with_sealed_shown(place)
    alone = len(found.keys() - {"$defs"}) == 1
    for word in ("anyOf", "oneOf", "allOf"):
        if word in found:
            several = composed or not alone or (word == "allOf" and len(found[word]) > 1)
            found[word] = [closed(part, several) for part in found[word]]
    _below(found, closed)
    names_all = "properties" in found and not composed and not found.keys() & COMPOSING
    if names_all:
        found.setdefault("additionalProperties", False)
    return found


def opened(place: Schema) -> Schema:
    """The schema as its reader obeys it: it ignores fields that it does not know."""
    if not isinstance(place, dict):
        return place
    found = _with_sealed_shown(place)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in found:
            found[word] = [opened(part) for part in found[word]]
    _below(found, opened)
    if found.get("additionalProperties") is False:
        del found["additionalProperties"]
    return found


def _below(found: dict[str, Any], change: Any) -> None:
    for word in ("properties", "$defs"):
        if word in found:
            found[word] = {name: change(part) for name, part in found[word].items()}
    if "prefixItems" in found:
        found["prefixItems"] = [change(part) for part in found["prefixItems"]]
    for word in ("items", "additionalProperties"):
        if word in found:
            found[word] = change(found[word])


def _with_sealed_shown(place: dict[str, Any]) -> dict[str, Any]:
    """A sealed value with its content in a field, where a validator sees it."""
    found = dict(place)
    if "x-sealed" in found:
        found["properties"] = found.get("properties", {}) | {"sealed": found.pop("x-sealed")}
        found["required"] = [*found.get("required", []), "sealed"]
    return found


def counter_example(random: Random, writer: Schema, reader: Schema, tries: int) -> Any:
    """What the closed writer may send and the open reader does not take; None when none is found."""
    sends, takes = Draft202012Validator(closed(writer)), Draft202012Validator(opened(reader))
    for _ in range(tries):
        found = value(random, writer, writer)
        if not takes.is_valid(found) and sends.is_valid(found):
            return found
    return None


@settings(max_examples=400)
@given(RANDOM)
def test_what_is_called_compatible_has_no_counter_example(random: Random) -> None:
    old = schema(random)
    new = edited(random, old) if random.random() < 0.9 else schema(random)
    if first_break(old, new, Mode.BACKWARD) is None:
        assert counter_example(random, old, new, VALUES_PER_PAIR) is None
    if first_break(old, new, Mode.FORWARD) is None:
        assert counter_example(random, new, old, VALUES_PER_PAIR) is None


@given(st.sampled_from(all_events()), RANDOM)
def test_what_is_refused_of_an_event_s_schema_is_what_was_changed(event: type[Event], random: Random) -> None:
    old = schema_of(event)
    assert first_break(old, old, Mode.TRANSITIVE) is None
    new = copy.deepcopy(old)
    assume(new["properties"])
    name = random.choice(list(new["properties"]))
    new["properties"][name] = {"type": "array", "items": False, "minItems": 1}
    found = first_break(old, new, Mode.BACKWARD)
    assert found
    assert found.at.startswith(f"/properties/{name}") or found.at.endswith("/x-sealed")
