"""Random schemas, edits of them, and values for them: raw material for laws about compatibility."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Schema = Any
"""A JSON Schema; ``K`` is where what is sealed may have its kind."""

NAMES = ("a", "b", "c", "kind")
WORDS = ("", "x", "xy", "abc", "1999-12-31", "ABCDEF")
KINDS = ("PersonName", "MemberNumber")
PATTERNS = ("^[a-z]*$", "^[A-Z]+$", "^.{2,}$")
ODD = {"a b": "#/$defs/a%20b", "a%20b": "#/$defs/a%2520b", "c/d~": "#/$defs/c~1d~0", "é": "#/$defs/%C3%A9"}
"""Names of definitions, and how references write them."""

REFERENCES = {f"#/$defs/{name}": name for name in ("D0", "D1", "K")} | {
    path: name for name, path in ODD.items()
}


def schema(random: Random, depth: int = 3) -> Schema:
    """A document with some definitions, which may refer to themselves and each other."""
    kinds: list[Callable[[Random, int], Schema]] = [_object, _object, _object, _any, _all, _sealed, _tagged]
    found = random.choice(kinds)(random, depth)
    if not isinstance(found, dict):
        found = {"anyOf": [found, {"type": "null"}]}
    nullable = {"anyOf": [{"$ref": "#/$defs/D0"}, {"type": "null"}]}
    other = random.choice(
        [nullable, _object(random, 1), _text(random, 0), _listed(random, 0), _sealed(random, 1)]
    )
    odd = {name: _any(random, 0) for name in ODD}
    return found | {"$defs": {"D0": _object(random, 1), "D1": other, **odd}}


def _any(random: Random, depth: int) -> Schema:
    kinds: list[Callable[[Random, int], Schema]] = [_text, _number, _listed, _plain]
    if depth > 0:
        kinds += [_object, _object, _array, _choice, _choice, _all, _sealed, _reference, _tagged, _held]
    return random.choice(kinds)(random, depth - 1)


def _some(random: Random, **keywords: Any) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if random.random() < 0.35}


def _text(random: Random, depth: int) -> Schema:
    more = _some(
        random,
        minLength=random.randint(0, 2),
        maxLength=random.randint(1, 4),
        pattern=random.choice(PATTERNS),
    )
    more |= {"format": random.choice(["date", "uuid"])} if random.random() < 0.1 else {}
    return {"type": random.choice(["string", "string", ["string", "null"]])} | more


def _number(random: Random, depth: int) -> Schema:
    more = _some(
        random,
        minimum=random.randint(-2, 2),
        maximum=random.randint(0, 4),
        exclusiveMinimum=random.choice([-2, 0, 0.5]),
        exclusiveMaximum=random.choice([2, 3, 3.5]),
        multipleOf=random.choice([1, 2, 4, 0.5]),
    )
    return {"type": random.choice(["integer", "number", ["integer", "null"], ["number", "string"]])} | more


def _listed(random: Random, depth: int) -> Schema:
    values: list[Any] = [
        "x",
        "xy",
        "abc",
        1,
        2,
        2.5,
        None,
        True,
        0,
        1.0,
        {"a": 1},
        {"a": {"b": "x"}},
        [1, "x"],
    ]
    if random.random() < 0.3:
        return {"const": random.choice(values)}
    found = {"enum": random.sample(values, random.randint(1, 4))}
    return found | _some(random, type=random.choice(["string", "integer", ["string", "null"]]))


def _plain(random: Random, depth: int) -> Schema:
    names = ["string", "boolean", "null", "integer", "object", "array"]
    return random.choice([{}, True, False, *({"type": name} for name in names)])


def _object(random: Random, depth: int) -> Schema:
    names = random.sample(NAMES, random.randint(0, 3))
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _any(random, depth) for name in names},
        "required": [name for name in names if random.random() < 0.6],
    }
    if random.random() < 0.15:
        found["required"] = sorted({*found["required"], random.choice(NAMES)})
    if random.random() < 0.1:
        found["patternProperties"] = {"^[ab]$": _any(random, 1)}
    if random.random() < 0.1:
        found |= random.choice(_conditions(random))
    others = random.choice([None, None, None, False, False, True, _any(random, 0)])
    more = _some(random, minProperties=random.randint(0, 2), maxProperties=random.randint(1, 4))
    return found | ({} if others is None else {"additionalProperties": others}) | (more if depth < 1 else {})


def _conditions(random: Random) -> list[dict[str, Any]]:
    """Keywords of an object that the check does not look into, some of them telling of fields."""
    one, other = random.choice(NAMES), random.choice(NAMES)
    return [
        {"dependentRequired": {one: [other]}},
        {"propertyNames": {"enum": [one, other]}},
        {"not": {"required": [one]}},
        {"if": {"required": [one]}, "then": {"properties": {other: _any(random, 0)}}},
        {"dependentSchemas": {one: {"properties": {other: _any(random, 0)}}}},
        {"unevaluatedProperties": random.choice([False, _any(random, 0)])},
    ]


def _array(random: Random, depth: int) -> Schema:
    more = _some(
        random,
        items=_any(random, depth),
        prefixItems=[_any(random, 0) for _ in range(random.randint(1, 2))],
        minItems=random.randint(0, 2),
        maxItems=random.randint(0, 3),
        uniqueItems=random.random() < 0.5,
        contains=_any(random, 0),
        unevaluatedItems=_any(random, 0),
    )
    return {"type": "array"} | more


def _choice(random: Random, depth: int) -> Schema:
    word = random.choice(["anyOf", "anyOf", "anyOf", "oneOf"])
    branches = [_any(random, depth) for _ in range(random.randint(1, 2))] + [{"type": "null"}]
    beside = random.choice([_object, _held])(random, 0) if random.random() < 0.15 else {}
    return {word: branches} | beside


def _tagged(random: Random, depth: int) -> Schema:
    """A union whose alternatives a discriminator tells apart, and which may be null."""
    kinds = random.sample(["x", "xy", "abc"], 2)
    union: Schema = {
        "oneOf": [
            {
                "type": "object",
                "properties": {tag: {"const": kind} for tag in ("kind", "c")} | {"a": part},
                "required": ["kind", "c"],
            }
            for kind in kinds
            for part in [_any(random, 0)]
        ],
        "discriminator": {"propertyName": random.choice(["kind", "c"])},
    }
    return {"anyOf": [union, {"type": "null"}]} if random.random() < 0.5 else union


def _held(random: Random, depth: int) -> Schema:
    """Something whose words may not change."""
    return {"not": random.choice([{"type": "null"}, {"const": "x"}, {"required": ["a"]}])}


def _all(random: Random, depth: int) -> Schema:
    parts = {"allOf": [_any(random, depth) for _ in range(random.randint(1, 2))]}
    return parts | ({"type": "object"} if random.random() < 0.2 else {})


def _sealed(random: Random, depth: int) -> Schema:
    inner = _any(random, 0)
    named = {"title": random.choice(KINDS)} | (inner if isinstance(inner, dict) else {})
    behind = {"$ref": "#/$defs/K", "$defs": {"K": named}}
    return _object(random, 0) | {"x-sealed": random.choice([named, named, behind, {"allOf": [named]}])}


def _reference(random: Random, depth: int) -> Schema:
    beside = random.choice([{"type": "object"}, _object(random, 0)]) if random.random() < 0.15 else {}
    return {"$ref": random.choice(["#/$defs/D0", "#/$defs/D1", *ODD.values()]), **beside}


def places(document: Schema) -> Iterator[dict[str, Any]]:
    """Every schema object of a document."""
    if not isinstance(document, dict):
        return
    yield document
    for word in ("properties", "$defs", "patternProperties"):
        for part in document.get(word, {}).values():
            yield from places(part)
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for part in document.get(word, []):
            yield from places(part)
    for word in ("items", "contains", "additionalProperties", "x-sealed", "then"):
        yield from places(document.get(word))


def edited(random: Random, document: Schema) -> Schema:
    """The document after one to three small changes."""
    found = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        _edit(random, random.choice(list(places(found))))
    return found


def _edit(random: Random, place: dict[str, Any]) -> None:
    """One change of a place: of its fields, its values, its bounds, its type, or of all of it."""
    if "properties" in place and random.random() < 0.8:
        _edit_fields(random, place)
    elif "enum" in place:
        rest = place["enum"][1:] if random.random() < 0.5 else [*place["enum"], "new"]
        place["enum"] = rest or ["new"]
    elif place.get("type") in ("integer", "number", "string") and random.random() < 0.7:
        _edit_scalar(random, place)
    elif "anyOf" in place and random.random() < 0.6:
        place["anyOf"] = place["anyOf"][:1] if random.random() < 0.5 else [*place["anyOf"], _any(random, 0)]
    elif "$defs" not in place:
        before = dict(place)
        place.clear()
        parts = {"allOf": [before, _any(random, 0)]}
        place |= random.choice(
            [{"anyOf": [before, {"type": "null"}]}, before, {"allOf": [before]}, parts, {}]
        )


def _edit_fields(random: Random, place: dict[str, Any]) -> None:
    name = random.choice(NAMES)
    fields, required = place["properties"], place.setdefault("required", [])
    match random.randint(0, 3):
        case 0:
            fields.setdefault(name, _any(random, 1))
        case 1:
            fields.pop(name, None)
        case 2:
            place["required"] = [each for each in required if each != name]
        case 3:
            fields.setdefault(name, _any(random, 1))
            place["required"] = sorted({*required, name})


def _edit_scalar(random: Random, place: dict[str, Any]) -> None:
    word = random.choice(["type", "minLength", "maxLength", "minimum", "maximum", "pattern", "multipleOf"])
    match word:
        case "type":
            place["type"] = random.choice(["number", "integer", [place["type"], "null"]])
        case "pattern":
            place["pattern"] = random.choice(PATTERNS)
        case _:
            step = random.choice([-1, 1])
            place[word] = max(place.get(word, 1) + step, 1 if word == "multipleOf" else 0)


def value(random: Random, document: Schema, place: Schema, depth: int = 5) -> Any:
    """A value that a place probably allows; now and then something else."""
    if not isinstance(place, dict) or depth < 0 or random.random() < 0.03:
        return random.choice([None, True, 0, 1, 2.5, "x", "abc", [], {}, {"a": 1}, {"b": "x"}])
    if "$ref" in place:
        target = document.get("$defs", {}).get(REFERENCES[place["$ref"]], True)
        return _merged(random, value(random, document, target, depth - 1), document, place, "$ref", depth)
    if "const" in place or "enum" in place:
        return random.choice(place.get("enum") or [place.get("const")])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in place:
            found = value(random, document, random.choice(place[word]), depth - 1)
            return _merged(random, found, document, place, word, depth)
    kinds = place.get("type", ["object", "array", "string", "integer"])
    return _of_type(
        random, document, place, random.choice([kinds] if isinstance(kinds, str) else kinds), depth
    )


def _merged(
    random: Random, found: Any, document: Schema, place: dict[str, Any], word: str, depth: int
) -> Any:
    """An object with what stands beside a keyword and in the other parts of an allOf."""
    rest = {name: part for name, part in place.items() if name != word}
    parts = [*(place[word] if word == "allOf" else []), *([rest] if "properties" in rest else [])]
    for part in parts if isinstance(found, dict) else []:
        more = value(random, document, part, depth - 1)
        found = more | found if isinstance(more, dict) else found
    return found


def _of_type(random: Random, document: Schema, place: dict[str, Any], kind: str, depth: int) -> Any:
    match kind:
        case "string":
            return random.choice(WORDS)
        case "integer":
            return random.choice([-3, -2, -1, 0, 1, 2, 3, 4, 5, 8, 2.0])
        case "number":
            return random.choice([-2.5, -2, 0, 0.5, 1, 1.5, 2, 3, 3.5, 4, 7])
        case "array":
            size = random.choice([place.get("minItems", 0), random.randint(0, 4)])
            first = place.get("prefixItems", [])
            parts = [*first[:size], *[place.get("items", {})] * (size - len(first))]
            return [value(random, document, part, depth - 1) for part in parts]
        case "object":
            return _fields(random, document, place, depth)
        case _:
            return None if kind == "null" else random.random() < 0.5


def _fields(random: Random, document: Schema, place: dict[str, Any], depth: int) -> Any:
    known = place.get("properties", {})
    chosen = [name for name in known if name in place.get("required", ()) or random.random() < 0.6]
    found = {name: value(random, document, known[name], depth - 1) for name in chosen}
    for name in place.get("required", ()):
        if name not in found:
            found[name] = value(random, document, place.get("additionalProperties", {}), depth - 1)
    if random.random() < 0.2 or len(found) < place.get("minProperties", 0):
        more = random.choice([*NAMES, "z"])
        found.setdefault(more, value(random, document, place.get("additionalProperties", {}), depth - 1))
    if "x-sealed" in place:
        found["sealed"] = value(random, place["x-sealed"], place["x-sealed"], depth - 1)
        found["sealed as"] = random.choice(KINDS)
    return found
