"""What a schema says of the parts of a value: its fields, its items."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from .schema_node import COMPOSING, Node
from .subset_values import OPAQUE, Mismatch, compare_size, fail

Below = Callable[[Node, Node], None]
"""Compares two places that hold a part of the value."""


def compare_objects(w: Node, r: Node, below: Below) -> None:
    """Compare the fields of two objects; those that only the writer knows are ignored. Raises Mismatch.

    No record is both closed and as a writer has it that speaks of fields it does not declare: such a writer
    counts as open, and what does not fit then is undecided.
    """
    try:
        _fields(w, r, below)
    except Mismatch as found:
        if not w.speaks_of_others():
            raise
        says = f"{found.says}; that writer speaks of fields that it does not declare"
        raise Mismatch(found.writer, found.reader, says, decided=False) from None


def _fields(w: Node, r: Node, below: Below) -> None:
    known = w.get("properties", {})
    for name in r.get("required", ()):
        if name in w.get("required", ()):
            continue
        sent = "may leave it out" if name in known or not w.is_closed() else "does not send it"
        sure = name not in known or not w.get("minProperties")  # else it may have to send what it declares
        fail(w, r, "required", f"the reader requires {name}, the writer {sent}", decided=sure)
    for name in r.get("properties", {}):
        found = _sent_as(w, name)
        if found is not None:
            below(found, r.child("properties", name))
    _others(w, r, below)
    closed = w.is_closed() and not w.get("patternProperties")
    most = len(known) if closed else None
    least = len(set(w.get("required", ())))
    sure = all(not _doubtful(w.child("properties", name)) for name in known)
    compare_size(w, r, ("minProperties", "maxProperties"), (least, most), "fields", (sure, sure))


def _sent_as(w: Node, name: str) -> Node | None:
    """How the writer sends a field that the reader knows; None when it does not send it."""
    if name in w.get("properties", {}):
        return w.child("properties", name)
    if w.get("patternProperties"):
        return _anything(w)
    if isinstance(w.get("additionalProperties"), dict):
        return w.child("additionalProperties")
    return None if w.is_closed() else _anything(w)


def _others(w: Node, r: Node, below: Below) -> None:
    """Fields without a name in the reader's schema, where it says what they hold."""
    if not isinstance(r.get("additionalProperties"), dict):
        return
    taken = r.child("additionalProperties")
    for name in w.get("properties", {}):
        if name not in r.get("properties", {}):
            below(w.child("properties", name), taken)
    for pattern in w.get("patternProperties", {}):
        if pattern in r.get("patternProperties", {}):
            continue  # in the same words, or it were refused before; its fields are no others to the reader
        below(w.child("patternProperties", pattern), taken)
    if isinstance(w.get("additionalProperties"), dict):
        below(w.child("additionalProperties"), taken)
    elif not w.is_closed():
        below(_anything(w), taken)


def compare_arrays(w: Node, r: Node, below: Below) -> None:
    """Compare the items of two arrays, place by place, then the rest. Raises Mismatch."""
    ours, theirs = w.get("prefixItems", []), r.get("prefixItems", [])
    most = w.get("maxItems")
    if w.get("items") is False:
        most = len(ours) if most is None else min(most, len(ours))
    for index in range(max(len(ours), len(theirs))):
        if most is not None and index >= most:
            break
        below(_item(w, index), _item(r, index))
    if most is None or most > max(len(ours), len(theirs)):
        rest = max(len(ours), len(theirs))
        below(_item(w, rest), _item(r, rest))
    sure = not any(_doubtful(_item(w, index)) for index in range(len(ours) + 1))
    distinct = not w.get("uniqueItems", False) or not ("items" in w or ours)
    compare_size(w, r, ("minItems", "maxItems"), (0, most), "items", (sure, sure and distinct))
    if r.get("uniqueItems", False) and not w.get("uniqueItems", False) and (most is None or most > 1):
        says = "the reader takes each item once, the writer may repeat one"
        fail(w, r, "uniqueItems", says, decided=sure and not ours)


def _item(node: Node, index: int) -> Node:
    if index < len(node.get("prefixItems", [])):
        return node.child("prefixItems", index)
    return node.child("items") if "items" in node else _anything(node)


def _doubtful(node: Node) -> bool:
    """Whether it takes a closer look to tell that a part may be sent at all."""
    return node.listed() == [] or any(keyword in node for keyword in (*chain(*OPAQUE), *COMPOSING))


def _anything(node: Node) -> Node:
    """A schema that allows everything, at a place that names none."""
    empty: dict[str, Any] = {}
    return Node(node.root, node.at, empty, node.base)
