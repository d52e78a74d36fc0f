"""What a schema says of a value by itself: types, listed values, texts, numbers."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import Any, NoReturn

from .schema_node import TYPES, Node, canonical, fits, same, shown

OF_TEXTS = ("pattern", "contentEncoding", "contentMediaType")

HELD = (*OF_TEXTS, "format", "const")
"""Keywords that stay as they are, in both directions: whether one pattern is narrower than another is not
decided here, who decodes a text counts on how it was encoded, and who read a value as the only one has code
that counts on it."""

SHAPES = ("pattern", "format", "contentEncoding")
"""Keywords that may say how long a text is."""

ENDLESS = re.compile(r"\^(\[[^][\\]+\])+[*+]\$")
"""Patterns, of one character after another, that take texts of any length."""

LOW, HIGH = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")

PARTS = (
    *("properties", "additionalProperties", "required", "minProperties", "maxProperties"),
    *("prefixItems", "items", "minItems", "maxItems", "uniqueItems"),
)
"""Keywords that speak of the parts of a value."""

FEW = (*SHAPES, *HIGH, *PARTS)
"""Keywords that may leave so few values that they can be listed."""

OPAQUE = (
    ("not",),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
    ("dependentSchemas",),
    ("dependentRequired",),
    ("propertyNames",),
    ("patternProperties",),
)
"""Keywords of the reader that the writer must have in the same words."""


class Mismatch(Exception):
    """A place where the reader may refuse what the writer sends: pointers into both, and words.

    ``decided`` is False where nobody showed that it does, only that it may.
    """

    def __init__(self, writer: str, reader: str, says: str, decided: bool = True) -> None:
        super().__init__(says)
        self.writer, self.reader, self.says, self.decided = writer, reader, says, decided


def fail(w: Node, r: Node, keyword: str, says: str, decided: bool = True) -> NoReturn:
    """Raise the mismatch of a keyword, or of two whole places where the keyword is empty."""
    steps = [keyword] if keyword else []
    raise Mismatch(w.pointer(*steps), r.pointer(*steps), says, decided)


def compare_values(w: Node, r: Node) -> None:
    """Compare what two plain schemas say of a value without looking inside it. Raises Mismatch."""
    _types(w, r)
    _listed(w, r)
    _held(w, r)
    _opaque(w, r)
    if w.types() & {"integer", "number"}:
        _bound(w, r, LOW, 1)
        _bound(w, r, HIGH, -1)
        _multiple(w, r)
    if "string" in w.types():
        lengths = [len(value) for value in w.listed() or () if isinstance(value, str)]
        low, high = (min(lengths), max(lengths)) if lengths else (0, None)
        sure = not any(keyword in w for keyword in SHAPES)
        long = {*SHAPES} & w.schema.keys() == {"pattern"} and ENDLESS.fullmatch(w.get("pattern"))
        both = (sure, sure or bool(long))
        compare_size(w, r, ("minLength", "maxLength"), (low, high), "characters", both)


def compare_size(
    w: Node,
    r: Node,
    keywords: tuple[str, str],
    known: tuple[int, int | None],
    unit: str,
    sure: tuple[bool, bool],
) -> None:
    """Compare how many characters, items or fields there may be; ``known`` bounds the writer's besides.

    Not ``sure``, of the least or of the most: something may bound them that is not looked into.
    """
    least = max(w.get(keywords[0], 0), known[0])
    bounds = [bound for bound in (w.get(keywords[1]), known[1]) if bound is not None]
    most = min(bounds) if bounds else None
    wanted, taken = r.get(keywords[0], 0), r.get(keywords[1])
    if least < wanted:
        says = f"the reader wants {wanted} {unit} at least, the writer may send {least}"
        fail(w, r, keywords[0], says, decided=sure[0])
    if taken is not None and (most is None or most > taken):
        says = f"the reader takes {taken} {unit} at most, the writer may send {most or 'more'}"
        fail(w, r, keywords[1], says, decided=sure[1])


def _types(w: Node, r: Node) -> None:
    taken, whole = r.types(), _exact(w.get("multipleOf", 0.5)).denominator == 1
    for kind in sorted(w.types()):
        if not fits("integer" if kind == "number" and whole else kind, taken):
            sent = kind if w.types() != TYPES else "anything"
            says = f"the writer may send {sent}, the reader takes {' or '.join(sorted(taken)) or 'nothing'}"
            fraction = kind == "number" and fits("integer", taken) and _between(w)
            fail(w, r, "" if "type" not in r else "type", says, decided=not fraction)


def _listed(w: Node, r: Node) -> None:
    taken = r.listed()
    if taken is None:
        return
    sent, keyword = w.listed(), "const" if "const" in r else "enum"
    only = " or ".join(map(shown, taken)) if keyword == "const" else shown(taken)
    if sent is None:
        says = f"the reader takes {only} only, the writer may send others"
        fail(w, r, keyword, says, decided=not any(each in w for each in FEW) and w.get("maxLength", 1) > 0)
    known = {canonical(value) for value in taken}
    for value in sent:
        if canonical(value) not in known:
            fail(w, r, keyword, f"the writer may send {shown(value)}, which the reader does not take")


def require_no_parts_listed(w: Node, r: Node) -> None:
    """Refuse listed objects and lists whose parts the reader speaks of: nothing here looks into them."""
    if not any(isinstance(value, dict | list) and value for value in w.listed() or ()):
        return
    for keyword in PARTS:
        if keyword in r:
            says = "the writer lists objects or lists, which are not looked into"
            fail(w, r, keyword, says, decided=False)


def _held(w: Node, r: Node) -> None:
    if w.types() <= {"null", "boolean"}:
        return
    for keyword in HELD:
        if keyword in OF_TEXTS and "string" not in w.types():
            continue
        if keyword == "const" and w.listed() == r.listed():
            continue
        one, other = ((shown(each.get(keyword)) if keyword in each else "none") for each in (w, r))
        if one != other:
            says = f"the writer's {keyword} is {one}, the reader's {other}; it may not change"
            fail(w, r, keyword, says, decided=False)


def _opaque(w: Node, r: Node) -> None:
    for keywords in OPAQUE:
        ours = {name: w.get(name) for name in keywords if name in w}
        theirs = {name: r.get(name) for name in keywords if name in r}
        if not theirs or (same(ours, theirs) and stands_alone(w, r, theirs)):
            continue
        name = next(iter(theirs))
        fail(w, r, name, f"{name} is not looked into and may not change", decided=False)
    for name in ("unevaluatedProperties", "unevaluatedItems"):
        if r.get(name, True) not in ((True,) if name == "unevaluatedItems" else (True, False)):
            fail(w, r, name, f"{name} is not looked into", decided=False)


def stands_alone(w: Node, r: Node, part: dict[str, Any]) -> bool:
    """Whether equal words mean the same: they refer to nothing, or their documents are equal."""
    text = json.dumps(part)
    return not ('"$ref"' in text or '"$dynamicRef"' in text) or (w.at == r.at and same(w.root, r.root))


def _exact(value: Any) -> Fraction:
    return Fraction(str(value))


def _numbers_listed(w: Node) -> list[Fraction]:
    listed = w.listed() or ()
    return [_exact(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool)]


Bound = tuple[Fraction, bool]
"""A number, and whether it is itself excluded."""


def _least(w: Node, keywords: tuple[str, str], sign: int) -> Bound | None:
    """What the writer's numbers, times the sign, do not go below."""
    found: list[Bound] = []
    for keyword, excluded in zip(keywords, (False, True), strict=True):
        if keyword in w:
            found.append((sign * _exact(w.get(keyword)), excluded))
    if step := _step(w):
        found = [
            (step * (math.floor(n / step) + 1 if excluded else math.ceil(n / step)), False)
            for n, excluded in found
        ]
    if listed := _numbers_listed(w):
        found.append((min(sign * number for number in listed), False))
    return max(found, default=None)


def _step(w: Node) -> Fraction | None:
    """What the writer's numbers are whole multiples of; None where they may have fractions."""
    step = _exact(w.get("multipleOf", 0.5))
    if step.denominator == 1:
        return step
    return None if "number" in w.types() else Fraction(1)


def _between(w: Node) -> bool:
    """Whether the writer's numbers lie between two: how many are left there is not counted."""
    return all(_least(w, keywords, sign) is not None for keywords, sign in ((LOW, 1), (HIGH, -1)))


def _bound(w: Node, r: Node, keywords: tuple[str, str], sign: int) -> None:
    least = _least(w, keywords, sign)
    for keyword, excluded in zip(keywords, (False, True), strict=True):
        if keyword not in r:
            continue
        if least is None or least < (sign * _exact(r.get(keyword)), excluded):
            beyond = "above" if sign < 0 else "below"
            limit = f"{'excluded ' if excluded else ''}{r.get(keyword)}"
            says = f"the reader takes no number {beyond} {limit}, the writer may send one"
            fail(w, r, keyword, says, decided=_exact(w.get("multipleOf", 1)).denominator == 1)


def _multiple(w: Node, r: Node) -> None:
    if "multipleOf" not in r:
        return
    wanted, sent = _exact(r.get("multipleOf")), w.get("multipleOf")
    if sent is not None and _exact(sent) == wanted:
        return
    says = f"the reader takes multiples of {r.get('multipleOf')}, the writer may send others"
    if wanted.denominator != 1 or (sent is not None and _exact(sent).denominator != 1):
        fail(w, r, "multipleOf", says, decided=False)  # validators round fractions in ways of their own
    listed = _numbers_listed(w)
    steps = listed or [_exact(sent) if sent is not None else Fraction(1)]
    if ("number" in w.types() and sent is None and not listed) or any(step % wanted for step in steps):
        fail(w, r, "multipleOf", says, decided=not _between(w))
