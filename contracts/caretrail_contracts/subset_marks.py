"""What marks a value beside its shape: that it is sealed, as which kind, and the tag of its alternatives.

A mark stands for the whole value, wherever among the schemas that describe it together it is found: in the
schema, behind ``$ref``, in a part of ``allOf``; a discriminator also for each alternative below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from .schema_node import Node, same, shown
from .subset_values import OPAQUE, fail, stands_alone

MARKS = frozenset(("x-sealed", "discriminator"))

LEADING = frozenset((*MARKS, "$ref", "allOf"))
"""Keywords by which a value may have marks."""

UNREAD = frozenset((*chain(*OPAQUE), "unevaluatedProperties", "unevaluatedItems"))
"""Keywords that the comparison does not look into."""

Below = Callable[[Node, Node], None]
"""Compares two places that hold a part of the value."""


def bearing(node: Node) -> Node:
    """The place with all marks of its value that do not depend on an alternative."""
    if LEADING.isdisjoint(node.schema):
        return node
    found = {mark.at: mark for mark in node.marks}
    for each in _together(node):
        if not MARKS.isdisjoint(each.schema):
            found.setdefault(each.at, replace(each, marks=()))
    return replace(node, marks=tuple(found.values()))


def compare_marks(w: Node, r: Node, below: Below) -> None:
    """Compare how two places are sealed, and the discriminators above them. Raises Mismatch.

    The kind is part of what a sealed value is bound to, so that it opens under no other name.
    """
    if w.marks or r.marks:
        _compare_discriminators(w, r)
        _compare_sealed(w, r, below)
    for keyword in sorted(UNREAD & w.schema.keys()):
        ours, theirs = ({keyword: n.get(keyword)} for n in (w, r))
        stays = same(ours, theirs) and stands_alone(w, r, ours)
        if not stays and _marked(w, w.get(keyword), set()):
            fail(w, r, keyword, f"{keyword} is not looked into, and it seals or tags", decided=False)


def hides(node: Node) -> bool:
    """Whether anything seals or tags here that is no mark of the whole: a part, an alternative."""
    return any(
        _marked(each, part, set())
        for each in _together(node)
        for keyword, part in each.schema.items()
        if keyword not in LEADING and keyword != "$defs"
    )


def _compare_discriminators(w: Node, r: Node) -> None:
    one, other = ([mark.get("discriminator") for mark in n.marks if "discriminator" in mark] for n in (w, r))
    if not (_among(one, other) and _among(other, one)):
        fail(w, r, "discriminator", "the discriminator is not the same; it may not change")


def _compare_sealed(w: Node, r: Node, below: Below) -> None:
    ours, theirs = ([mark for mark in n.marks if "x-sealed" in mark] for n in (w, r))
    if not ours and not theirs:
        return
    if not ours:
        fail(w, theirs[0], "x-sealed", "the writer sends it in plain, the reader expects it sealed")
    if not theirs:
        fail(ours[0], r, "x-sealed", "the writer sends it sealed, the reader does not open it")
    if len(ours) > 1 or len(theirs) > 1:
        fail(ours[0], theirs[0], "x-sealed", "it is sealed in more than one way", decided=False)
    sealed, opened = ours[0].sealed(), theirs[0].sealed()
    kind, wanted = _kind(sealed, w, r), _kind(opened, w, r)
    if kind.get("title") != wanted.get("title"):
        fail(
            kind, wanted, "title", f"sealed as {kind.get('title')}, it does not open as {wanted.get('title')}"
        )
    below(sealed, opened)


def _kind(sealed: Node, w: Node, r: Node) -> Node:
    """The place that names the kind of what is sealed: its own title, else that of what it is made of."""
    found = {each.get("title"): each for each in _titled(sealed)}
    if len(found) > 1:
        says = f"it is sealed as {' or '.join(map(shown, found))}: nothing tells which"
        fail(sealed, sealed, "", says, decided=False)
    return next(iter(found.values()), sealed)


def _titled(node: Node) -> Iterator[Node]:
    todo, seen = [node], set[str]()
    while todo:
        here = todo.pop()
        if here.at in seen:
            continue
        seen.add(here.at)
        if "title" in here:
            yield here
            continue
        todo += _behind(here)
        for keyword in ("anyOf", "oneOf"):
            todo += [here.child(keyword, index) for index in range(len(here.get(keyword, ())))]


def _together(node: Node) -> Iterator[Node]:
    """The schemas that describe a value together: this, those behind its references, the parts of allOf."""
    todo, seen = [node], set[str]()
    while todo:
        here = todo.pop()
        if here.at not in seen:
            seen.add(here.at)
            yield here
            todo += _behind(here)


def _behind(node: Node) -> list[Node]:
    target = node.target() if "$ref" in node else None
    parts = [node.child("allOf", index) for index in range(len(node.get("allOf", ())))]
    return [*parts, *([target] if target else [])]


def _among(some: list[Any], others: list[Any]) -> bool:
    return all(any(same(one, other) for other in others) for one in some)


def _marked(node: Node, part: Any, seen: set[str]) -> bool:
    """Whether anything below seals or tags, or leads out of the document, where nobody can tell."""
    if isinstance(part, list):
        return any(_marked(node, each, seen) for each in part)
    if not isinstance(part, dict):
        return False
    if any(keyword in part for keyword in MARKS) or _leads_to_mark(node, part.get("$ref"), seen):
        return True
    return any(_marked(node, each, seen) for each in part.values())


def _leads_to_mark(node: Node, reference: Any, seen: set[str]) -> bool:
    if not isinstance(reference, str) or reference in seen:
        return False
    seen.add(reference)
    target = Node(node.root, node.at, {"$ref": reference}, node.base).target()
    return target is None or _marked(node, target.schema, seen)
