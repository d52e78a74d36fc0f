"""People and organizations by name, and how to reach them: HumanName, ContactPoint, Address."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .form import Address
from .node import Node

# R4 name-use, the one to greet first; maiden and old are former names, anonymous is made up
_NAME_USES = ("official", "usual", None, "nickname", "temp", "anonymous", "maiden", "old")
_FORMER = ("maiden", "old")
_PHONE_USES = ("mobile", "home", None, "temp", "work", "old")
_ADDRESS_USES = ("home", None, "temp", "work", "billing", "old")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_POSTNOMINAL = re.compile(r"(?i)(jr|sr|ii|iii|iv|md|do|phd|rn|np|lcsw|psyd)\.?")


def best_name(names: Sequence[Node], called: str | None = None) -> Node | None:
    """The name to call a person by: the one in `called`, if it is one of theirs, else by its use.

    A current name goes before one whose period has an end, a former one last.
    """
    ranked = sorted(filter(_says_something, names), key=_name_rank)
    said = [name for name in ranked if called is not None and _is_in(name, called)]
    return next(iter(said or ranked), None)


def full_name(best: Node | None) -> tuple[str | None, str | None, bool]:
    """Family and given names, joined by a space, and whether they had to be split from a text."""
    if best is None:
        return None, None, False
    family, given = best.text("family"), " ".join(best.texts("given")) or None
    text = best.text("text")
    if family is None and given is None and text is not None:
        return *_split(text), True
    return family, given, False


def printed_name(resource_type: str, node: Node) -> str | None:
    """A resource's name in print: a person's text, else its parts with prefix and suffix."""
    if resource_type == "Organization":
        return node.text("name")
    if resource_type == "Device":
        return next((name for each in node.children("deviceName") if (name := each.text("name"))), None)
    best = best_name(node.children("name"))
    return _printed(best) if best is not None else None


def phone(points: Sequence[Node]) -> str | None:
    """The telephone number to try first: by rank, then mobile before home before work; never an old one."""
    return _first(points, "phone")


def email(points: Sequence[Node]) -> str | None:
    """The mail address to try first."""
    return _first(points, "email")


def postal_address(addresses: Sequence[Node]) -> Address | None:
    """The current home address, else another current one, else the one that ended."""
    if not addresses:
        return None
    best = min(addresses, key=lambda node: (_ended(node), _place(_ADDRESS_USES, node.text("use"))))
    return Address(
        lines=tuple(best.texts("line")),
        city=best.text("city"),
        state=best.text("state"),
        postal_code=best.text("postalCode"),
        country=best.text("country"),
    )


def _first(points: Sequence[Node], system: str) -> str | None:
    usable = [
        node
        for node in points
        if node.text("system") == system
        and node.text("value")
        and node.text("use") != "old"
        and not _ended(node)
    ]
    ranked = sorted(
        usable, key=lambda node: (node.number("rank") or 99, _place(_PHONE_USES, node.text("use")))
    )
    return ranked[0].text("value") if ranked else None


def _says_something(name: Node) -> bool:
    return bool(name.text("family") or name.texts("given") or name.text("text"))


def _is_in(name: Node, called: str) -> bool:
    """Whether a text holds the family name and a given one."""
    words, family = _words(called), _words(name.text("family") or "")
    given = _words(" ".join(name.texts("given")))
    return bool(family) and family <= words and bool(given & words)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _name_rank(name: Node) -> tuple[bool, bool, bool, int]:
    use = name.text("use")
    only_given = not (name.text("family") or name.text("text"))
    return use in _FORMER, _ended(name), only_given, _place(_NAME_USES, use)


def _ended(node: Node) -> bool:
    """Whether a period has an end. The reader has no clock, so an end to come counts too: it only ranks."""
    period = node.child("period")
    return period is not None and period.text("end") is not None


def _place(order: Sequence[str | None], use: str | None) -> int:
    return order.index(use) if use in order else len(order)


def _printed(name: Node) -> str:
    text = name.text("text")
    if text is not None:
        return text
    family = name.text("family")
    words = [*name.texts("prefix"), *name.texts("given"), *([family] if family else [])]
    return ", ".join([" ".join(words), *name.texts("suffix")])


def _split(text: str) -> tuple[str | None, str | None]:
    """Family and given of a name in one text: `Family, Given`, else the last word is the family's."""
    before, comma, after = text.partition(",")
    if comma and not _POSTNOMINAL.fullmatch(after.strip()):
        return before.strip() or None, after.strip() or None
    words = before.split()
    while len(words) > 1 and _POSTNOMINAL.fullmatch(words[-1]):
        words.pop()
    return (words[-1] if words else None), " ".join(words[:-1]) or None
