"""Whether all that a closed writer sends is taken by an open reader: JSON Schema 2020-12, on the safe side.

The writer sends the properties that its schema declares; the reader ignores those that it does not know.
What cannot be decided is refused, and called so. Nothing is ever let through on a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from .schema_node import KNOWN, Key, Node, canonical, fits, shown
from .subset_marks import UNREAD, bearing, compare_marks, hides
from .subset_parts import compare_arrays, compare_objects
from .subset_values import Mismatch, compare_values, fail, require_no_parts_listed

STEPS_MAX = 10_000
"""Comparisons of two places at most: schemas whose alternatives multiply end undecided, not never."""


def require_subset(writer: Any, reader: Any) -> None:
    """Pass when the open reader takes all that the closed writer sends; else Mismatch, at the first doubt."""
    try:
        _Comparison().subset(Node.of(writer), Node.of(reader))
    except RecursionError:
        raise Mismatch("", "", "it is nested too deep to compare", decided=False) from None


Pair = tuple[Key, Key]


@dataclass
class _Comparison:
    """Two documents being compared: the steps taken, pairs under way, and those since the last part."""

    steps: int = 0
    assumed: set[Pair] = field(default_factory=set)
    since: frozenset[Pair] = frozenset()

    def subset(self, w: Node, r: Node) -> None:
        """The comparison of two places that hold one value."""
        if w.get("discriminator") != r.get("discriminator"):
            fail(w, r, "discriminator", "the discriminator is not the same; it may not change")
        self.within(w, r)

    def below(self, w: Node, r: Node) -> None:
        """The comparison of two parts of a value: recursion through here ends, as values do."""
        before, self.since = self.since, frozenset()
        try:
            self.subset(w, r)
        finally:
            self.since = before

    def within(self, w: Node, r: Node) -> None:
        """As subset, for an alternative on either side."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            fail(w, r, "", "too many alternatives to compare", decided=False)
        for node in (w, r):
            for keyword in node.opaque():
                fail(w, r, keyword, f"{keyword} is not looked into", decided=False)
        if w.listed() == []:
            return
        w, r = bearing(w), bearing(r)
        if "$ref" in w or "$ref" in r:
            self._through_references(w, r)
        elif "allOf" in r:
            self._all_of_reader(w, r)
        elif any(keyword in w for keyword in ("allOf", "anyOf", "oneOf")):
            self._composed_writer(w, r)
        elif "anyOf" in r or "oneOf" in r:
            self._any_of_reader(w, r)
        else:
            self._plain(w, r)

    def _plain(self, w: Node, r: Node) -> None:
        """The comparison of two places without alternatives: what says most comes first."""
        compare_marks(w, r, self.below)
        if not any(keyword in KNOWN for keyword in r.schema):
            return
        with _undecided(_narrowed(w)):
            compare_values(w, r)
            require_no_parts_listed(w, r)
            if "array" in w.types():
                compare_arrays(w, r, self.below)
            if "object" in w.types():
                compare_objects(w, r, self.below)

    def _through_references(self, w: Node, r: Node) -> None:
        if "$ref" in w and w.has_siblings("$ref"):
            self._one_of_writer(w, "$ref", [w.without("$ref"), _target(w, w, r)], r)
            return
        if "$ref" in r and r.has_siblings("$ref"):
            self.within(w, r.without("$ref"))
        w_target = _target(w, w, r) if "$ref" in w else w
        r_target = _target(r, w, r) if "$ref" in r else r
        pair = (w_target.key(), r_target.key())
        if pair in self.since:
            fail(w, r, "$ref", "the reference leads to itself", decided=False)
        if pair in self.assumed:
            return
        before = self.since
        self.assumed.add(pair)
        self.since |= {pair}
        try:
            self.subset(w_target, r_target)
        finally:
            self.assumed.discard(pair)
            self.since = before

    def _all_of_reader(self, w: Node, r: Node) -> None:
        if r.has_siblings("allOf"):
            self.within(w, r.without("allOf"))
        for index in range(len(r.get("allOf"))):
            self.within(w, r.branch("allOf", index))

    def _composed_writer(self, w: Node, r: Node) -> None:
        keyword = next(each for each in ("allOf", "anyOf", "oneOf") if each in w)
        branches = [w.branch(keyword, index) for index in range(len(w.get(keyword)))]
        rest = [w.without(keyword)] if w.has_siblings(keyword) else []
        if keyword == "allOf":
            composed = len(branches) + len(rest) > 1
            parts = [replace(branch, composed=branch.composed or composed) for branch in branches]
            self._one_of_writer(w, keyword, [*rest, *parts], r)
        elif not rest:
            apart = keyword != "oneOf" or _all_apart(branches)
            with _undecided(not apart):  # what two alternatives of a oneOf allow is not sent
                for branch in branches:
                    self.within(branch, r)
        else:
            self._either(w, keyword, rest[0], branches, r)

    def _one_of_writer(self, w: Node, keyword: str, parts: Sequence[Node], r: Node) -> None:
        """The writer obeys all parts: it is enough that the reader takes all that one of them allows."""
        if len(parts) == 1:
            self.within(parts[0], r)
            return
        for index, part in enumerate(parts):
            others = [*parts[:index], *parts[index + 1 :]]
            if self._taken(part, r) and not any(map(hides, others)):
                return
        fail(w, r, keyword, "its parts are not looked at together, and none alone suffices", decided=False)

    def _either(self, w: Node, keyword: str, rest: Node, branches: Sequence[Node], r: Node) -> None:
        if self._taken(rest, r) and not hides(w.only_of(keyword)):
            return
        if not hides(rest) and all(self._taken(branch, r) for branch in branches):
            return
        fail(w, r, keyword, "it is not looked at together with what stands beside it", decided=False)

    def _taken(self, w: Node, r: Node) -> bool:
        try:
            self.within(w, r)
        except Mismatch:
            return False
        return True

    def _any_of_reader(self, w: Node, r: Node) -> None:
        keyword = "anyOf" if "anyOf" in r else "oneOf"
        if r.has_siblings(keyword):
            self.within(w, r.without(keyword))
        branches = [r.branch(keyword, index) for index in range(len(r.get(keyword)))]
        if keyword == "oneOf" and not _all_apart(branches):
            fail(w, r, "oneOf", "nothing shows that its alternatives exclude each other", decided=False)
        for piece in _pieces(w):
            self._into_one(piece, r, keyword, branches)

    def _into_one(self, w: Node, r: Node, keyword: str, branches: Sequence[Node]) -> None:
        """Some alternative of the reader takes the whole of a piece of what the writer sends."""
        doubts: list[tuple[Node, Mismatch]] = []
        for branch in branches:
            try:
                self.within(w, branch)
            except Mismatch as mismatch:
                doubts.append((branch, mismatch))
            else:
                return
        near = [mismatch for branch, mismatch in doubts if _may_meet(w, branch)]
        if len(near) == 1:
            raise near[0]
        listed = w.listed()
        single = listed is not None and len(listed) == 1 and all(doubt.decided for doubt in near)
        sent = " or ".join(shown(value) for value in listed) if listed else " or ".join(sorted(w.types()))
        if not near or single:
            fail(w, r, keyword, f"the writer may send {sent}, which no alternative of the reader takes")
        says = f"no single alternative of the reader takes each {sent} that the writer may send"
        fail(w, r, keyword, says, decided=False)


def _narrowed(w: Node) -> bool:
    """Whether a writer may send less than what is compared: others, or what is not looked into, speak too.

    So it is with listed values beside other keywords: which of the values those allow is not looked into.
    """
    listed = "enum" in w or "const" in w
    beside = (name for name in w.schema if name in KNOWN and name not in ("enum", "const", "type"))
    return w.composed or not UNREAD.isdisjoint(w.schema) or (listed and any(beside))


@contextmanager
def _undecided(doubtful: bool) -> Iterator[None]:
    """Where it is doubtful that the writer sends it at all, a mismatch is not decided. Raises Mismatch."""
    try:
        yield
    except Mismatch as found:
        if doubtful and found.decided:
            raise Mismatch(found.writer, found.reader, found.says, decided=False) from None
        raise


def _target(node: Node, w: Node, r: Node) -> Node:
    found = node.target()
    if found is None:
        fail(w, r, "$ref", "the reference leads out of the document, or nowhere", decided=False)
    return found


def _pieces(w: Node) -> Iterator[Node]:
    """What a writer sends, value by value where they are counted, else type by type."""
    listed = w.listed()
    if listed is not None:
        for value in listed:
            yield w if len(listed) == 1 else w.only(enum=[value])
        return
    types = sorted(w.types())
    for kind in types:
        yield w if len(types) == 1 else w.only(type=kind)


def _plain(node: Node) -> Node | None:
    """Where a chain of bare references ends; None where it does not end in something plain."""
    for _ in range(20):
        if any(node.opaque()):
            return None
        if "$ref" not in node:
            return None if any(keyword in node for keyword in ("allOf", "anyOf", "oneOf")) else node
        found = node.target()
        if found is None or node.has_siblings("$ref"):
            return None
        node = found
    return None


def _may_meet(w: Node, branch: Node) -> bool:
    """Whether an alternative may allow some of what the writer sends; True where that is not plain to see."""
    plain = _plain(branch)
    return plain is None or not _apart(w, plain)


def _all_apart(branches: Sequence[Node]) -> bool:
    """Whether alternatives plainly exclude each other, even for a reader that ignores unknown fields."""
    plain = [_plain(branch) for branch in branches]
    return all(
        one is not None and other is not None and _apart(one, other)
        for index, one in enumerate(plain)
        for other in plain[index + 1 :]
    )


def _apart(one: Node, other: Node) -> bool:
    """Whether two plain schemas allow nothing in common, by their types or by a required tag."""
    types = (one.types(), other.types())
    if not any(fits(kind, types[1]) for kind in types[0]) and not any(fits(k, types[0]) for k in types[1]):
        return True
    if types != (frozenset({"object"}), frozenset({"object"})):
        return False
    tags = set(one.get("required", ())) & set(other.get("required", ()))
    return any(_tags_apart(one, other, name) for name in tags)


def _tags_apart(one: Node, other: Node, name: str) -> bool:
    if any(name not in node.get("properties", {}) for node in (one, other)):
        return False
    values = [node.child("properties", name).listed() for node in (one, other)]
    if values[0] is None or values[1] is None:
        return False
    return {canonical(value) for value in values[0]}.isdisjoint(map(canonical, values[1]))
