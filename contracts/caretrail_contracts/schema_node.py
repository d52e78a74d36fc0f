"""A place in a JSON Schema (2020-12): where it stands, what it allows at first sight, where it leads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

TYPES = frozenset({"null", "boolean", "object", "array", "number", "string"})
"""Every type; ``integer`` is the part of ``number`` that has no fraction."""

COMPOSING = ("$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas")
"""Keywords that may name further properties of the same object."""

SPEAKING = frozenset(
    (
        *(*COMPOSING, "patternProperties", "contains", "not", "enum", "const"),
        *("unevaluatedItems", "unevaluatedProperties"),
    )
)
"""Keywords that may say more of a part of the value than the place that declares the part."""

KNOWN = frozenset(
    (
        *("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("dependentSchemas", "dependentRequired", "properties", "patternProperties", "propertyNames"),
        *("additionalProperties", "unevaluatedProperties", "required", "minProperties", "maxProperties"),
        *("prefixItems", "items", "unevaluatedItems", "contains", "minContains", "maxContains"),
        *("uniqueItems", "minItems", "maxItems", "type", "enum", "const", "pattern", "format"),
        *("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("multipleOf", "contentEncoding", "contentMediaType", "x-sealed"),
    )
)
"""Keywords that say what is allowed; all others only describe (``discriminator`` is compared by itself)."""

Key = tuple[str, bool, frozenset[str], str, frozenset[str]]
"""What tells two looks at a schema apart: its place, how much of it is looked at, and its marks."""


@dataclass(frozen=True, slots=True)
class Node:
    """A schema inside a document: its JSON pointer ``at``, and whether it is ``composed`` with others.

    A composed schema is one of several that describe the same object: it does not name all properties.
    ``root`` is the document that references are looked up in, ``base`` that document's own pointer. ``marks``
    are the places, among all that describe this value, that seal it or tell its alternatives apart.
    """

    root: Any
    at: str
    schema: dict[str, Any]
    base: str = ""
    composed: bool = False
    marks: tuple[Node, ...] = ()

    @classmethod
    def of(cls, document: Any) -> Node:
        """The root of a document."""
        return cls(document, "", _as_object(document))

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.schema

    def get(self, keyword: str, default: Any = None) -> Any:
        """The value of a keyword."""
        return self.schema.get(keyword, default)

    def pointer(self, *steps: object) -> str:
        """The JSON pointer of something below."""
        return self.at + "".join(f"/{escaped(step)}" for step in steps)

    def key(self) -> Key:
        """What two looks at the same part of the same schema have in common."""
        narrowed = json.dumps([self.get("type"), self.get("enum")])
        return self.at, self.composed, frozenset(self.schema), narrowed, frozenset(m.at for m in self.marks)

    def child(self, *steps: object) -> Node:
        """The schema at some steps below, of another value; composed where others may speak of that too."""
        part: Any = self.schema
        for step in steps:
            part = part[step]
        composed = self.composed or not SPEAKING.isdisjoint(self.schema)
        return Node(self.root, self.pointer(*steps), _as_object(part), self.base, composed)

    def branch(self, *steps: object) -> Node:
        """The schema at some steps below that describes this same value."""
        composed = self.composed or self.has_siblings(str(steps[0]))
        return replace(self.child(*steps), composed=composed, marks=self.marks)

    def sealed(self) -> Node:
        """The schema of what is inside a sealed value: a document of its own."""
        at = self.pointer("x-sealed")
        return Node(self.get("x-sealed"), at, _as_object(self.get("x-sealed")), at)

    def without(self, *keywords: str) -> Node:
        """This schema without some keywords that describe the same value: composed with them from here."""
        rest = {name: value for name, value in self.schema.items() if name not in keywords}
        return replace(self, schema=rest, composed=True)

    def only_of(self, keyword: str) -> Node:
        """What one keyword of this schema says: composed with the others from here."""
        return replace(self, schema={keyword: self.schema[keyword]}, composed=True)

    def only(self, **changed: Any) -> Node:
        """This schema with some keywords set, to look at a part of what it allows."""
        return replace(self, schema=self.schema | changed)

    def has_siblings(self, keyword: str) -> bool:
        """Whether anything beside this keyword allows or forbids something."""
        return any(name in KNOWN and name != keyword for name in self.schema)

    def target(self) -> Node | None:
        """Where ``$ref`` leads, when that is in this document; else None."""
        steps = steps_of(self.get("$ref"), self.root)
        if steps is None:
            return None
        part: Any = self.root
        for step in steps:
            part = _step(part, step)
            if isinstance(part, dict) and isinstance(part.get("$id"), str):
                return None
        if not isinstance(part, dict | bool):
            return None
        at = self.base + "".join(f"/{escaped(step)}" for step in steps)
        composed = self.composed or self.has_siblings("$ref")
        return Node(self.root, at, _as_object(part), self.base, composed, self.marks)

    def types(self) -> frozenset[str]:
        """The types it allows by ``type``, ``enum`` and ``const``."""
        named = self.get("type", TYPES)
        types = frozenset([named] if isinstance(named, str) else named)
        listed = self.listed()
        if listed is None:
            return types
        return frozenset(type_of(value) for value in listed)

    def listed(self) -> list[Any] | None:
        """The values it allows, where they can be counted; else None."""
        named = self.get("type", TYPES)
        types = {named} if isinstance(named, str) else set(named)
        found: list[Any] | None = None
        if "enum" in self or "const" in self:
            found = self.get("enum", [self.get("const")])
        elif types <= {"null", "boolean"}:
            found = [None, False, True]
        if found is None:
            return None
        if "const" in self:
            found = [value for value in found if same(value, self.get("const"))]
        return [value for value in found if fits(type_of(value), types)]

    def is_closed(self) -> bool:
        """Whether its writer sends named properties only.

        A writer sends what it declares: where a schema names properties and says nothing of others, there
        are none. One that names none is free.
        """
        additional = self.get("additionalProperties", None)
        if additional is not None:
            return additional is False
        if self.composed or any(keyword in self for keyword in COMPOSING):
            return False
        if "unevaluatedProperties" in self:
            return self.get("unevaluatedProperties") is False and "properties" in self
        return "properties" in self and not self.speaks_of_others()

    def speaks_of_others(self) -> bool:
        """Whether its writer declares some fields, and by other keywords speaks of fields besides."""
        if "properties" not in self or "additionalProperties" in self or "unevaluatedProperties" in self:
            return False
        declared, pairs = set(self.get("properties")), self.get("dependentRequired", {})
        named = {*self.get("required", ()), *pairs, *(name for names in pairs.values() for name in names)}
        more = self.get("minProperties", 0) > len(declared)
        return more or not named <= declared or "propertyNames" in self or "not" in self

    def opaque(self) -> Iterator[str]:
        """Keywords whose lookup depends on more than this document's pointers."""
        if "$dynamicRef" in self:
            yield "$dynamicRef"
        if "$id" in self and self.at != self.base:
            yield "$id"


def escaped(step: object) -> str:
    """A step of a JSON pointer."""
    return str(step).replace("~", "~0").replace("/", "~1")


def steps_of(reference: str, root: Any) -> list[str] | None:
    """The steps from a document's root to where a reference leads; None where that is no pointer into it.

    A pointer in a fragment is percent-encoded (RFC 6901, section 6).
    """
    own = root.get("$id", "") if isinstance(root, dict) else ""
    absolute = isinstance(own, str) and re.match("[A-Za-z][A-Za-z0-9+.-]*:", own)
    path = reference.removeprefix(own.removesuffix("#")) if absolute else reference
    if path not in ("", "#") and not path.startswith("#/"):
        return None
    if re.search("%(?![0-9A-Fa-f]{2})", path):
        return None
    try:
        pointer = unquote(path.removeprefix("#"), errors="strict")
    except UnicodeDecodeError:
        return None
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def type_of(value: Any) -> str:
    """The JSON Schema type of a value; 1.0 is an integer."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def fits(kind: str, types: frozenset[str] | set[str]) -> bool:
    """Whether a type is among others."""
    return kind in types or (kind == "integer" and "number" in types)


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: true is not 1, but 1.0 is."""
    return bool(canonical(a) == canonical(b))


def canonical(value: Any) -> Any:
    """A JSON value as what can be compared and looked up."""
    if isinstance(value, dict):
        return "object", tuple(sorted((key, canonical(part)) for key, part in value.items()))
    if isinstance(value, list):
        return "array", tuple(canonical(part) for part in value)
    return ("number" if type_of(value) == "integer" else type_of(value)), value


def shown(value: Any) -> str:
    """A value as messages have it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def _as_object(schema: Any) -> dict[str, Any]:
    """A schema as an object: true allows everything, false nothing."""
    if isinstance(schema, bool):
        return {} if schema else {"enum": []}
    found: dict[str, Any] = schema
    return found


def _step(part: Any, step: str) -> Any:
    if isinstance(part, dict):
        return part.get(step)
    if isinstance(part, list) and re.fullmatch("0|[1-9][0-9]{0,5}", step) and int(step) < len(part):
        return part[int(step)]
    return None
