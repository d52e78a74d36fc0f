"""Laws of the compatibility check, on random schemas: whatever it lets through, a validator takes."""

from __future__ import annotations

import copy
from functools import partial
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
SPEAKING = COMPOSING | {"patternProperties", "contains", "not", "enum", "const"}
SPEAKING |= {"unevaluatedItems", "unevaluatedProperties"}
VALUES_PER_PAIR = 12

RANDOM = st.integers(0, 2**64).map(Random)
"""A seed: drawing each choice of a schema by itself takes five times as long."""


def closed(place: Schema, composed: bool = False) -> Schema:
    """The schema as its writer obeys it: where it alone names fields, it sends no others.

    Definitions are there twice, the second time as parts of something composed.
    """
    if not isinstance(place, dict):
        return place
    found = _with_sealed_shown(place)
    if "$ref" in found and (composed or found.keys() - {"$ref", "$defs"}):
        found["$ref"] += "+"
    alone = len(found.keys() - {"$defs", "discriminator"}) == 1
    for word in ("anyOf", "oneOf", "allOf"):
        if word in found:
            several = composed or not alone or (word == "allOf" and len(found[word]) > 1)
            found[word] = [closed(part, several) for part in found[word]]
    definitions = {name + "+": closed(part, True) for name, part in found.get("$defs", {}).items()}
    if definitions:
        found["$defs"] = {name: closed(part) for name, part in found["$defs"].items()} | definitions
    _below(found, partial(closed, composed=composed or bool(found.keys() & SPEAKING)))
    names_all = "properties" in found and not composed and not found.keys() & COMPOSING
    if names_all and not _speaks_of_others(found):
        found.setdefault("additionalProperties", False)
    return found


def _speaks_of_others(place: dict[str, Any]) -> bool:
    """Whether fields besides the declared ones are required, counted or named."""
    names = set(place.get("required", ()))
    for one, others in place.get("dependentRequired", {}).items():
        names |= {one, *others}
    more = place.get("minProperties", 0) > len(place["properties"])
    return more or not names <= place["properties"].keys() or "propertyNames" in place or "not" in place


def opened(place: Schema) -> Schema:
    """The schema as its reader obeys it: it ignores fields that it does not know."""
    if not isinstance(place, dict):
        return place
    found = _with_sealed_shown(place)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in found:
            found[word] = [opened(part) for part in found[word]]
    if "$defs" in found:
        found["$defs"] = {name: opened(part) for name, part in found["$defs"].items()}
    _below(found, opened)
    for word in ("additionalProperties", "unevaluatedProperties"):
        if found.get(word) is False:
            del found[word]
    return found


def _below(found: dict[str, Any], change: Any) -> None:
    if "properties" in found:
        found["properties"] = {name: change(part) for name, part in found["properties"].items()}
    if "prefixItems" in found:
        found["prefixItems"] = [change(part) for part in found["prefixItems"]]
    for word in ("items", "additionalProperties"):
        if word in found:
            found[word] = change(found[word])


def _with_sealed_shown(place: dict[str, Any]) -> dict[str, Any]:
    """A sealed value with its content and its kind in fields, where a validator sees them."""
    found = dict(place)
    if "x-sealed" in found:
        inner = found.pop("x-sealed")
        inner = inner["$defs"]["K"] if "$defs" in inner else inner
        kinds = _kinds(inner)
        shown = {"sealed": inner} | ({"sealed as": {"const": kinds.pop()}} if len(kinds) == 1 else {})
        found["properties"] = found.get("properties", {}) | shown
        found["required"] = [*found.get("required", []), *shown]
    return found


def _kinds(inner: Schema) -> set[str]:
    """The titles of what is sealed: its own, else those of what it is made of."""
    if not isinstance(inner, dict):
        return set()
    parts = [part for word in ("allOf", "anyOf", "oneOf") for part in inner.get(word, ())]
    return {inner["title"]} if "title" in inner else set().union(*map(_kinds, parts))


def counter_example(random: Random, writer: Schema, reader: Schema, tries: int) -> Any:
    """What the closed writer may send and the open reader does not take; None when none is found."""
    sends, takes = Draft202012Validator(closed(writer)), Draft202012Validator(opened(reader))
    for _ in range(tries):
        found = value(random, writer, writer)
        if not takes.is_valid(found) and sends.is_valid(found):
            return found
    return None


@settings(max_examples=1500)
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
