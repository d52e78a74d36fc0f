"""Pairs of schemas made by hand, each with its verdict for backward and for forward."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT, WHOLE, NUMBER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "null"}

FITS = "fits"
"""The verdict where nothing breaks; a break is its pointer, an undecided one ``? pointer``."""


def obj(required: str = "", **fields: Any) -> Schema:
    """An object with fields, of which those named are required."""
    return {"type": "object", "properties": fields, "required": required.split()}


def shut(required: str = "", **fields: Any) -> Schema:
    """The same, as events are published: closed."""
    return obj(required, **fields) | {"additionalProperties": False}


def holding(part: Any, **more: Any) -> Schema:
    """An object whose one field holds something."""
    return shut("a", a=part) | more


def either(*parts: Any) -> Schema:
    return {"anyOf": list(parts)}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def tagged(kind: str, **fields: Any) -> Schema:
    return shut(" ".join(["kind", *fields]), kind={"const": kind}, **fields)


def sealed(inner: Any) -> Schema:
    return shut("kid ct", kid=TEXT, ct=TEXT) | {"x-sealed": inner}


NAME = {"title": "Name", "type": "object", "properties": {"family": TEXT}, "required": ["family"]}
LIST = {"$defs": {"L": shut("next", next=either(ref("L"), NULL))}, **ref("L")}
MATCHING = {"patternProperties": {"^a": WHOLE}, "additionalProperties": TEXT}
CAT, DOG, FOX = tagged("cat", lives=WHOLE), tagged("dog", tricks=WHOLE), tagged("fox")


def union(tag: str, *parts: Any) -> Schema:
    return {"oneOf": list(parts or (CAT, DOG)), "discriminator": {"propertyName": tag}}


FIELDS: dict[str, tuple[Any, Any, str, str]] = {
    "nothing changed": (shut("a", a=TEXT), shut("a", a=TEXT), FITS, FITS),
    "words that only describe":
        (shut(a=TEXT), shut(a=TEXT | {"description": "x", "default": "y"}), FITS, FITS),
    "an optional field came": (shut("a", a=TEXT), shut("a", a=TEXT, b=TEXT), FITS, FITS),
    "a required field came": (shut("a", a=TEXT), shut("a b", a=TEXT, b=TEXT), "/required", FITS),
    "an optional field went": (shut("a", a=TEXT, b=TEXT), shut("a", a=TEXT), FITS, FITS),
    "a required field went": (shut("a b", a=TEXT, b=TEXT), shut("a", a=TEXT), FITS, "/required"),
    "a field was renamed": (shut("a", a=TEXT), shut("b", b=TEXT), "/required", "/required"),
    "a field is no longer required": (shut("a", a=TEXT), shut(a=TEXT), FITS, "/required"),
    "a field is required now": (shut(a=TEXT), shut("a", a=TEXT), "/required", FITS),
    "an open object closes": (obj("a", a=TEXT), shut("a", a=TEXT), FITS, FITS),
    "any field may come": (shut(a=TEXT), obj(a=TEXT) | {"additionalProperties": True}, FITS, FITS),
    "other fields are typed": (shut(a=TEXT), shut() | {"additionalProperties": TEXT}, FITS, FITS),
    "other fields are typed otherwise": (shut(a=WHOLE), shut() | {"additionalProperties": TEXT},
        "/additionalProperties/type", "/additionalProperties/type"),
    "a map's values widen": ({"type": "object", "additionalProperties": WHOLE},
        {"type": "object", "additionalProperties": NUMBER}, FITS, "/additionalProperties/type"),
    "a free object gets fields": ({"type": "object"}, obj(a=TEXT), "/properties/a/type", FITS),
    "fewer fields at most":
        (shut(a=TEXT, b=TEXT), shut(a=TEXT, b=TEXT) | {"maxProperties": 1}, "/maxProperties", FITS),
    "as many fields as there are": (shut(a=TEXT), shut(a=TEXT) | {"maxProperties": 1}, FITS, FITS),
    "one field at least": (shut(a=TEXT), shut(a=TEXT) | {"minProperties": 1}, "/minProperties", FITS),
    "one field at least, as before":
        (shut("a", a=TEXT), shut("a", a=TEXT) | {"minProperties": 1}, FITS, FITS),
    "a field deep inside": (holding(shut("x", x=TEXT)), holding(shut("x y", x=TEXT, y=TEXT)),
        "/properties/a/required", FITS),
    "a field with a slash": (obj() | {"properties": {"a/b~": TEXT}}, obj() | {"properties": {"a/b~": WHOLE}},
        "/properties/a~1b~0/type", "/properties/a~1b~0/type"),
    "a field required, though declared only now":
        (obj("a x", a=TEXT), obj("a x", a=TEXT, x=WHOLE), "? /properties/x/type", FITS),
    "a field required that nobody declares": (obj("a x", a=TEXT), obj("a x", a=TEXT), FITS, FITS),
    "more fields required than declared":
        (obj(a=TEXT) | {"minProperties": 2}, obj(x=WHOLE), "? /properties/x/type", "/minProperties"),
    "more fields than the reader takes":
        (obj(a=TEXT) | {"minProperties": 2}, obj(a=TEXT) | {"maxProperties": 1},
        "? /maxProperties", "/minProperties"),
    "a field required beside another":
        (obj(a=TEXT) | {"dependentRequired": {"a": ["x"]}}, obj(x=WHOLE),
        "? /properties/x/type", "? /dependentRequired"),
    "a name allowed that is not declared":
        (obj(a=TEXT) | {"propertyNames": {"enum": ["a", "x"]}}, obj(x=WHOLE),
        "? /properties/x/type", "? /propertyNames"),
    "other fields than those of a pattern": (MATCHING, MATCHING, FITS, FITS),
    "a field that never comes": (shut(a=False), shut(a=TEXT), FITS, "/properties/a"),
}  # fmt: skip

VALUES: dict[str, tuple[Any, Any, str, str]] = {
    "whole numbers become numbers": (WHOLE, NUMBER, FITS, "/type"),
    "another type": (WHOLE, TEXT, "/type", "/type"),
    "null is allowed now": (TEXT, {"type": ["string", "null"]}, FITS, "/type"),
    "anything is allowed now": (TEXT, {}, FITS, "/type"),
    "nothing is allowed now": (TEXT, False, "", FITS),
    "an enum grows": ({"enum": ["x"]}, {"enum": ["x", "y"]}, FITS, "/enum"),
    "an enum shrinks": ({"enum": ["x", "y"]}, {"enum": ["x"]}, "/enum", FITS),
    "an enum is another order": ({"enum": ["x", "y"]}, {"enum": ["y", "x"]}, FITS, FITS),
    "an enum becomes any text": ({"enum": ["x"]}, TEXT, FITS, "/enum"),
    "an enum too long": ({"enum": ["xyz"]}, TEXT | {"maxLength": 2}, "/maxLength", "/enum"),
    "true is not 1": ({"enum": [True]}, {"enum": [1]}, "", ""),
    "1 is 1.0": ({"enum": [1]}, {"enum": [1.0]}, FITS, FITS),
    "booleans are two": ({"type": "boolean"}, {"enum": [True, False]}, FITS, FITS),
    "only true": ({"type": "boolean"}, {"enum": [True]}, "/enum", FITS),
    "a const is another": ({"const": "x"}, {"const": "y"}, "/const", "/const"),
    "a const came": (TEXT, {"const": "x"}, "/const", "? /const"),
    "a const becomes an enum": ({"const": "x"}, {"enum": ["x", "y"]}, "? /const", "/const"),
    "a const is an enum of one": ({"enum": ["a"]}, {"const": "a"}, FITS, FITS),
    "an object that is listed":
        ({"enum": [{"a": 1}], "type": "object", "properties": {"b": TEXT}}, obj(a=TEXT),
        "? /properties", "? /enum"),
    "a pattern came": (TEXT, TEXT | {"pattern": "^a"}, "? /pattern", "? /pattern"),
    "a pattern changed": (TEXT | {"pattern": "^a"}, TEXT | {"pattern": "^[ab]"}, "? /pattern", "? /pattern"),
    "a pattern went": (TEXT | {"pattern": "^a"}, TEXT, "? /pattern", "? /pattern"),
    "a pattern went with its type": (TEXT | {"pattern": "^a"}, {}, FITS, "/type"),
    "a format went": (TEXT | {"format": "date"}, TEXT, "? /format", "? /format"),
    "a pattern where no text is": (WHOLE, {"type": ["integer", "string"], "pattern": "^a"}, FITS, "/type"),
    "a format changed": (TEXT | {"format": "date"}, TEXT | {"format": "time"}, "? /format", "? /format"),
    "a format came": (TEXT, TEXT | {"format": "date"}, "? /format", "? /format"),
    "an encoding changed": (TEXT | {"contentEncoding": "base64"}, TEXT | {"contentEncoding": "base16"},
        "? /contentEncoding", "? /contentEncoding"),
    "a media type came": (TEXT, TEXT | {"contentMediaType": "application/pdf"},
        "? /contentMediaType", "? /contentMediaType"),
    "an encoding where no text is": (WHOLE, {"type": ["integer", "string"], "contentEncoding": "base64"},
        FITS, "/type"),
    "longer texts": (TEXT | {"maxLength": 5}, TEXT | {"maxLength": 6}, FITS, "/maxLength"),
    "no bound any more": (TEXT | {"maxLength": 5}, TEXT, FITS, "/maxLength"),
    "no empty texts": (TEXT, TEXT | {"minLength": 1}, "/minLength", FITS),
    "a higher minimum": (WHOLE | {"minimum": 1}, WHOLE | {"minimum": 2}, "/minimum", FITS),
    "a lower maximum": (WHOLE | {"maximum": 2}, WHOLE | {"maximum": 1}, "/maximum", FITS),
    "a bound said otherwise": (WHOLE | {"minimum": 1}, WHOLE | {"exclusiveMinimum": 0}, FITS, FITS),
    "a bound of numbers is not": (NUMBER | {"minimum": 1}, NUMBER | {"exclusiveMinimum": 1},
        "/exclusiveMinimum", FITS),
    "an upper bound said otherwise": (WHOLE | {"exclusiveMaximum": 3}, WHOLE | {"maximum": 2}, FITS, FITS),
    "negative numbers": (WHOLE | {"maximum": -1}, WHOLE | {"maximum": 0}, FITS, "/maximum"),
    "fewer multiples": (WHOLE | {"multipleOf": 2}, WHOLE | {"multipleOf": 4}, "/multipleOf", FITS),
    "multiples of one": (WHOLE, WHOLE | {"multipleOf": 1}, FITS, FITS),
    "whole numbers said otherwise": (NUMBER | {"multipleOf": 1}, WHOLE, FITS, FITS),
    "multiples that are whole numbers": (NUMBER | {"multipleOf": 4}, WHOLE | {"multipleOf": 2},
        FITS, "/multipleOf"),
    "multiples that are no whole numbers": (NUMBER | {"multipleOf": 1.5}, WHOLE, "/type", "? /multipleOf"),
    "fractions of fractions": (NUMBER | {"multipleOf": 0.2}, NUMBER | {"multipleOf": 0.1},
        "? /multipleOf", "? /multipleOf"),
}  # fmt: skip

PARTS: dict[str, tuple[Any, Any, str, str]] = {
    "items widen":
        ({"type": "array", "items": WHOLE}, {"type": "array", "items": NUMBER}, FITS, "/items/type"),
    "items are objects with a field more": ({"type": "array", "items": shut("a", a=TEXT)},
        {"type": "array", "items": shut("a b", a=TEXT, b=TEXT)}, "/items/required", FITS),
    "fewer items": ({"type": "array", "maxItems": 2}, {"type": "array", "maxItems": 1}, "/maxItems", FITS),
    "an item at least": ({"type": "array"}, {"type": "array", "minItems": 1}, "/minItems", FITS),
    "each item once": ({"type": "array"}, {"type": "array", "uniqueItems": True}, "/uniqueItems", FITS),
    "places in a list": ({"type": "array", "prefixItems": [TEXT, WHOLE]},
        {"type": "array", "prefixItems": [TEXT, NUMBER]}, FITS, "/prefixItems/1/type"),
    "places that are never reached": ({"type": "array", "prefixItems": [TEXT], "items": False},
        {"type": "array", "prefixItems": [TEXT, WHOLE]}, FITS, "/prefixItems/1"),
    "a nullable field": (holding(TEXT), holding(either(TEXT, NULL)), FITS, "/properties/a/anyOf/1/type"),
    "no longer nullable": (holding(either(TEXT, NULL)), holding(TEXT), "/properties/a/type", FITS),
    "nullable said otherwise": (either(TEXT, NULL), {"type": ["null", "string"]}, FITS, FITS),
    "a break inside a nullable":
        (either(TEXT | {"maxLength": 9}, NULL), either(TEXT | {"maxLength": 8}, NULL),
        "/anyOf/0/maxLength", FITS),
    "an alternative more": (either(CAT, DOG), either(CAT, DOG, FOX), FITS, "/anyOf"),
    "a tagged alternative changed": (either(CAT, DOG), either(CAT, tagged("dog", tricks=TEXT)),
        "/anyOf/1/properties/tricks/type", "/anyOf/1/properties/tricks/type"),
    "values over alternatives": ({"enum": ["x", "y"]}, either({"enum": ["x"]}, {"enum": ["y"]}), FITS, FITS),
    "a value in no alternative":
        ({"enum": ["x", "z"]}, either({"enum": ["x"]}, {"enum": ["y"]}), "/anyOf", "/anyOf/1/enum"),
    "ranges side by side": (WHOLE | {"minimum": 0, "maximum": 9},
        either(WHOLE | {"minimum": 0, "maximum": 4}, WHOLE | {"minimum": 5, "maximum": 9}), "? /anyOf", FITS),
    "exactly one, by tag": ({"oneOf": [CAT, DOG]}, {"oneOf": [CAT, DOG, FOX]}, FITS, "/oneOf"),
    "exactly one, by type": ({"oneOf": [TEXT, WHOLE]}, {"oneOf": [TEXT, WHOLE, NULL]}, FITS, "/oneOf"),
    "exactly one, who knows": (TEXT, {"oneOf": [TEXT, {"minLength": 1}]}, "? /oneOf", "? /type"),
    "all of": (TEXT | {"maxLength": 3}, {"allOf": [TEXT, {"maxLength": 4}]}, FITS, "? /allOf"),
    "a reference said in place": ({"$defs": {"T": TEXT}, **holding(ref("T"))}, holding(TEXT), FITS, FITS),
    "a break behind a reference": ({"$defs": {"T": TEXT}, **holding(ref("T"))},
        {"$defs": {"T": TEXT | {"minLength": 1}}, **holding(ref("T"))}, "/$defs/T/minLength", FITS),
    "a definition renamed": ({"$defs": {"T": TEXT}, **holding(ref("T"))},
        {"$defs": {"U": TEXT}, **holding(ref("U"))}, FITS, FITS),
    "a list of itself": (LIST, LIST, FITS, FITS),
    "a list of itself breaks": (LIST, {"$defs": {"L": shut("next", next=ref("L"))}, **ref("L")},
        "/$defs/L/type", FITS),
    "a reference to itself":
        ({"$defs": {"T": ref("T")}, **ref("T")}, TEXT, "? /$defs/T/$ref", "? /$defs/T/$ref"),
    "a reference to elsewhere": (holding({"$ref": "urn:x"}), holding({"$ref": "urn:x"}),
        "? /properties/a/$ref", "? /properties/a/$ref"),
    "a discriminator changed": ({"oneOf": [CAT, DOG], "discriminator": {"propertyName": "kind"}},
        {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "type"}}, "/discriminator", "/discriminator"),
    "a discriminator of an optional union changed":
        (either(union("kind"), NULL), either(union("type"), NULL),
        "/anyOf/0/oneOf/0/discriminator", "/anyOf/0/oneOf/0/discriminator"),
    "a discriminator of an optional union stays":
        (either(union("kind"), NULL), either(union("kind"), NULL), FITS, FITS),
    "discriminators of two unions change places": (either(union("kind"), union("type", FOX)),
        either(union("type"), union("kind", FOX)), "? /anyOf", "? /anyOf"),
    "a discriminator among parts changed": ({"allOf": [union("kind"), {"type": "object"}]},
        {"allOf": [union("type"), {"type": "object"}]}, "? /allOf", "? /allOf"),
    "a reference in percent": ({"$defs": {"a%20b": WHOLE, "a b": TEXT}, "$ref": "#/$defs/a%20b"}, WHOLE,
        "/type", "/type"),
    "a reference in percent to a slash":
        ({"$defs": {"a/b": TEXT}, "$ref": "#/%24defs/a~1b"}, TEXT, FITS, FITS),
    "a reference in no percent":
        ({"$defs": {"a%": TEXT}, "$ref": "#/$defs/a%"}, TEXT, "? /$ref", "? /$ref"),
    "a relative reference to another document":
        (WHOLE, {"$id": "d/x", "$ref": "d/x#/$defs/T", "$defs": {"T": WHOLE}}, "? /$ref", "? /$ref"),
    "a field that two parts describe":
        ({"allOf": [obj(a=obj(q=TEXT)), obj(a=obj(z=TEXT))]}, obj(a=obj(z=WHOLE)), "? /allOf",
        "/properties/a/properties/z/type"),
    "a field that a pattern describes too": (obj(a=obj(q=TEXT)) | {"patternProperties": {"^a": obj(z=TEXT)}},
        obj(a=obj(z=WHOLE)), "? /properties/a/properties/z/type", "? /patternProperties"),
    "an item that is looked for too": ({"type": "array", "items": obj(q=TEXT), "contains": obj(z=TEXT)},
        {"type": "array", "items": obj(z=WHOLE)}, "? /items/properties/z/type", "? /contains"),
    "what is not looked into stays":
        (TEXT | {"not": {"const": "x"}}, TEXT | {"not": {"const": "x"}}, FITS, FITS),
    "what is not looked into came": (TEXT, TEXT | {"not": {"const": "x"}}, "? /not", FITS),
    "a condition came": (shut(a=TEXT), shut(a=TEXT) | {"if": obj("a"), "then": obj("b")}, "? /if", FITS),
    "names that match came": (shut(a=TEXT), shut(a=TEXT) | {"patternProperties": {"a": WHOLE}},
        "? /patternProperties", FITS),
    "fields of two parts":
        ({"allOf": [obj(a=TEXT), obj(b=TEXT)]}, obj(a=TEXT, b=WHOLE), "? /allOf", "/properties/b/type"),
}  # fmt: skip

SEALED: dict[str, tuple[Any, Any, str, str]] = {
    "the same sealed": (holding(sealed(NAME)), holding(sealed(NAME)), FITS, FITS),
    "an optional field inside": (holding(sealed(NAME)),
        holding(sealed(NAME | {"properties": {"family": TEXT, "given": TEXT}})), FITS, FITS),
    "a break inside": (holding(sealed(NAME)), holding(sealed(NAME | {"required": ["family", "given"]})),
        "/properties/a/x-sealed/required", FITS),
    "another kind inside": (holding(sealed(NAME)), holding(sealed(NAME | {"title": "FullName"})),
        "/properties/a/x-sealed/title", "/properties/a/x-sealed/title"),
    "sealed now": (holding(TEXT), holding(sealed(NAME)), "/properties/a/x-sealed", "/properties/a/x-sealed"),
    "sealed, where anything is read": (holding(sealed(NAME)), holding({}),
        "/properties/a/x-sealed", "/properties/a/x-sealed"),
    "its kind behind a reference": (sealed({"$defs": {"N": NAME}, **ref("N")}), sealed(NAME), FITS, FITS),
    "another kind behind a reference": (sealed({"$defs": {"N": NAME}, **ref("N")}),
        sealed({"$defs": {"N": NAME | {"title": "FullName"}}, **ref("N")}),
        "/x-sealed/$defs/N/title", "/x-sealed/$defs/N/title"),
    "another kind among parts": (sealed({"allOf": [NAME]}), sealed({"allOf": [NAME | {"title": "FullName"}]}),
        "/x-sealed/allOf/0/title", "/x-sealed/allOf/0/title"),
    "another kind, or null": (sealed(either(NAME, NULL)), sealed(either(NAME | {"title": "FullName"}, NULL)),
        "/x-sealed/anyOf/0/title", "/x-sealed/anyOf/0/title"),
    "two kinds": (sealed(either(NAME, {"title": "B"})), sealed(either(NAME, {"title": "B"})),
        "? /x-sealed", "? /x-sealed"),
    "sealed behind a reference": ({"$defs": {"P": sealed(NAME)}, "type": "object", **ref("P")},
        {"type": "object"}, "? /$ref", "/$defs/P/x-sealed"),
    "sealed behind a reference, as before": ({"$defs": {"P": sealed(NAME)}, "type": "object", **ref("P")},
        {"$defs": {"P": sealed(NAME)}, "type": "object", **ref("P")}, FITS, FITS),
    "sealed in a part": ({"allOf": [sealed(NAME), {"type": "object"}]}, {"type": "object"},
        "? /allOf", "/allOf/0/x-sealed"),
    "sealed deep in a part": ({"allOf": [obj(a=sealed(NAME)), {"type": "object"}]}, obj(a={}), "? /allOf",
        "/allOf/0/properties/a/x-sealed"),
    "sealed in an alternative beside its type":
        ({"type": "object", "anyOf": [sealed(NAME), NULL]}, {"type": "object"}, "? /anyOf",
        "/anyOf/0/x-sealed"),
    "sealed on a condition": ({"if": obj("a"), "then": sealed(NAME)}, {}, "? /then", "? /if"),
    "its own definitions": (holding(sealed({"title": "N", "$defs": {"T": TEXT}, **obj(x=ref("T"))})),
        holding(sealed({"title": "N", "$defs": {"T": WHOLE}, **obj(x=ref("T"))})),
        "/properties/a/x-sealed/$defs/T/type", "/properties/a/x-sealed/$defs/T/type"),
}  # fmt: skip

FLAGS = {"type": "array", "uniqueItems": True, "items": {"type": "boolean"}}
FROM_ZERO, FROM_THREE = WHOLE | {"minimum": 0}, WHOLE | {"minimum": 3}

NARROWED: dict[str, tuple[Any, Any, str, str]] = {
    "a bound leaves some of an enum":
        ({"enum": [1, 5, 10], "minimum": 5}, {"enum": [5, 10]}, "? /enum", FITS),
    "the least multiple":
        (WHOLE | {"multipleOf": 3, "minimum": 1}, FROM_THREE | {"multipleOf": 3}, FITS, FITS),
    "the next multiple":
        (WHOLE | {"multipleOf": 3, "exclusiveMaximum": 9}, WHOLE | {"maximum": 6}, FITS, "/multipleOf"),
    "a multiple between two":
        (WHOLE | {"minimum": 3, "maximum": 3}, WHOLE | {"multipleOf": 3}, "? /multipleOf", "/minimum"),
    "what two alternatives allow is not sent":
        ({"oneOf": [FROM_ZERO, FROM_THREE]}, WHOLE | {"maximum": 2}, "? /maximum", "? /oneOf"),
    "no more than there are": (FLAGS, FLAGS | {"maxItems": 2}, "? /maxItems", FITS),
    "no others, by a not":
        ({"type": "object", "additionalProperties": {"not": {}}}, obj(a=TEXT),
        "? /properties/a/type", "? /additionalProperties/not"),
    "one of one": (shut(a=TEXT) | {"minProperties": 1}, shut("a", a=TEXT), "? /required", FITS),
    "on a condition that always holds": ({"if": True, "then": WHOLE}, WHOLE, "? /type", "? /if"),
    "a pattern says how long": (TEXT | {"pattern": "^...$"}, TEXT | {"pattern": "^...$", "minLength": 3},
        "? /minLength", FITS),
    "a pattern without an end":
        (TEXT | {"pattern": "^[A-Z][a-z]*$"}, TEXT | {"pattern": "^[A-Z][a-z]*$", "maxLength": 3},
        "/maxLength", FITS),
    "two between bounds": (WHOLE | {"minimum": 0, "maximum": 1}, {"enum": [0, 1]}, "? /enum", FITS),
    "one number, a whole one": (NUMBER | {"minimum": 1, "maximum": 1}, WHOLE, "? /type", "/minimum"),
}  # fmt: skip
"""Pairs where the writer sends less than the keyword that is compared says: nothing shows a break."""

PAIRS = FIELDS | VALUES | PARTS | SEALED | NARROWED
assert len(PAIRS) == sum(map(len, (FIELDS, VALUES, PARTS, SEALED, NARROWED))), "two pairs have one name"
