"""Random schemas, edits of them, and values for them: raw material for laws about compatibility."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Schema = Any
NAMES = ("a", "b", "c", "kind")
WORDS = ("", "x", "xy", "abc", "1999-12-31", "ABCDEF")
PATTERNS = ("^[a-z]*$", "^[A-Z]+$", "^.{2,}$")


def schema(random: Random, depth: int = 3) -> Schema:
    """A document with two definitions, which may refer to themselves and each other."""
    found = _object(random, depth)
    nullable = {"anyOf": [{"$ref": "#/$defs/D0"}, {"type": "null"}]}
    other = random.choice([nullable, _object(random, 1), _text(random, 0), _listed(random, 0)])
    found["$defs"] = {"D0": _object(random, 1), "D1": other}
    return found


def _any(random: Random, depth: int) -> Schema:
    kinds: list[Callable[[Random, int], Schema]] = [_text, _number, _listed, _plain]
    if depth > 0:
        kinds += [_object, _object, _array, _choice, _choice, _all, _sealed, _reference]
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
    return {"type": "string"} | more


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
    values: list[Any] = ["x", "xy", "abc", 1, 2, 2.5, None, True, 0]
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
    if random.random() < 0.1:
        found["patternProperties"] = {"^[ab]$": _any(random, 0)}
    others = random.choice([None, None, None, False, False, True, _any(random, 0)])
    more = _some(random, minProperties=random.randint(0, 2), maxProperties=random.randint(1, 4))
    return found | ({} if others is None else {"additionalProperties": others}) | (more if depth < 1 else {})


def _array(random: Random, depth: int) -> Schema:
    more = _some(
        random,
        items=_any(random, depth),
        prefixItems=[_any(random, 0) for _ in range(random.randint(1, 2))],
        minItems=random.randint(0, 2),
        maxItems=random.randint(0, 3),
        uniqueItems=random.random() < 0.5,
        contains=_any(random, 0),
    )
    return {"type": "array"} | more


def _choice(random: Random, depth: int) -> Schema:
    word = random.choice(["anyOf", "anyOf", "anyOf", "oneOf"])
    branches = [_any(random, depth) for _ in range(random.randint(1, 2))] + [{"type": "null"}]
    return {word: branches} | (_object(random, 0) if random.random() < 0.1 else {})


def _all(random: Random, depth: int) -> Schema:
    return {"allOf": [_any(random, depth) for _ in range(random.randint(1, 2))]}


def _sealed(random: Random, depth: int) -> Schema:
    inner = _any(random, 0)
    return _object(random, 0) | {"x-sealed": inner if isinstance(inner, dict) else {}}


def _reference(random: Random, depth: int) -> Schema:
    return {"$ref": random.choice(["#/$defs/D0", "#/$defs/D1"])}


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
    for word in ("items", "contains", "additionalProperties", "x-sealed"):
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
        place |= random.choice([{"anyOf": [before, {"type": "null"}]}, before, {"allOf": [before]}, {}])


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
        return value(random, document, document["$defs"][place["$ref"][-2:]], depth - 1)
    if "const" in place or "enum" in place:
        return random.choice(place.get("enum") or [place.get("const")])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in place:
            return value(random, document, random.choice(place[word]), depth - 1)
    kinds = place.get("type", ["object", "array", "string", "integer"])
    return _of_type(
        random, document, place, random.choice([kinds] if isinstance(kinds, str) else kinds), depth
    )


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
    if random.random() < 0.2:
        more = random.choice([*NAMES, "z"])
        found.setdefault(more, value(random, document, place.get("additionalProperties", {}), depth - 1))
    if "x-sealed" in place:
        found["sealed"] = value(random, document, place["x-sealed"], depth - 1)
    return found
