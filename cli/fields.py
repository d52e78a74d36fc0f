"""An event's fields on one line: ids short or whole, sealed values shown as sealed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cli import screen

if TYPE_CHECKING:
    from rich.text import Text

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_SEALED = frozenset({"kid", "nonce", "ct"})

PARTS_MAX = 4
"""Parts of a list that are shown before the rest is counted."""


def short(text: str) -> str:
    """A text with each UUID in it cut to its first eight digits."""
    return _UUID.sub(lambda found: found[0][:8], text)


def is_sealed(value: Any) -> bool:
    """Whether a JSON value is a sealed object."""
    return isinstance(value, Mapping) and value.keys() == _SEALED


def is_erased(value: Any) -> bool:
    """Whether a JSON value stands for one that nobody can open: its key was destroyed, or is another."""
    return isinstance(value, str) and value in (screen.ERASED_TEXT, screen.UNREADABLE_TEXT)


def in_brief(
    fields: Mapping[str, Any],
    without: frozenset[str] = frozenset({"patient"}),
    shown: Callable[[str], str] = short,
) -> Text:
    """The fields as ``name value`` parts, texts as ``shown``; what is null or left out is not there."""
    from rich.text import Text

    line = Text()
    for name, value in fields.items():
        if value is None or name in without:
            continue
        line.append(" · " if line else "", style=screen.QUIET)
        line.append(f"{name} ", style=screen.QUIET)
        for text, style in _parts(value, shown):
            line.append(text, style=style)
    return line


def _parts(value: Any, shown: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    if is_sealed(value):
        yield screen.SEALED_TEXT, screen.SEALED
    elif is_erased(value):
        yield value, screen.QUIET
    elif isinstance(value, bool):
        yield ("yes" if value else "no"), ""
    elif isinstance(value, list):
        yield from _listed(value, shown)
    elif isinstance(value, Mapping):
        inside = [(name, part) for name, part in value.items() if part is not None]
        for index, (name, part) in enumerate(inside):
            yield f"{', ' if index else '('}{name} ", screen.QUIET
            yield from _parts(part, shown)
        yield (")" if inside else "()"), screen.QUIET
    else:
        yield ("—" if value is None else shown(str(value))), ""


def _listed(values: list[Any], shown: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    if not values:
        yield "none", screen.QUIET
    for index, value in enumerate(values[:PARTS_MAX] if any(map(_is_part, values)) else values):
        yield (", " if index else ""), ""
        yield from _parts(value, shown)
    if any(map(_is_part, values)) and len(values) > PARTS_MAX:
        yield f", {len(values) - PARTS_MAX} more", screen.QUIET


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and not is_sealed(value)
