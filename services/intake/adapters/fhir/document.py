"""From bytes to a JSON tree as FHIR allows it: one object, no name twice, no null, empty value or NaN."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from .errors import FhirError

FILE_BYTES_MAX = 5 * 1024 * 1024  # public samples reach 0.13 MB; a referral with scans stays below
DEPTH_MAX = 64  # R4's deepest samples nest about 20; beyond this somebody plays

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
# R4 string: no control characters but tab, CR, LF; and no lone surrogates, which UTF-8 cannot carry
_FORBIDDEN_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


class _Doubled(dict[str, Any]):
    """An object of the file that has a name twice."""


class _NotANumber:
    """A NaN or Infinity of the file, which JSON does not know."""


def pointer_to(parent: str, name: str | int) -> str:
    """The JSON pointer of a member; a name that no FHIR element could have is not repeated."""
    shown = name if isinstance(name, int) or _NAME.fullmatch(name) else "?"
    return f"{parent}/{shown}"


def parse(file: str, content: bytes) -> dict[str, Any]:
    """The object in a JSON file. A byte-order mark is allowed. Raises FhirError."""
    if len(content) > FILE_BYTES_MAX:
        raise FhirError(file, "", "the file is over the limit", f"at most {FILE_BYTES_MAX} bytes")
    tree = _loaded(file, _decoded(file, content))
    if not isinstance(tree, dict):
        raise FhirError(file, "", "the document is not an object", "one FHIR resource in JSON")
    _check(file, "", "", tree, 0)
    return tree


def _decoded(file: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FhirError(file, "", f"not UTF-8 at byte {error.start}", "JSON in UTF-8") from None


def _loaded(file: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=lambda _: _NotANumber())
    except json.JSONDecodeError as error:
        what = f"not JSON from line {error.lineno}, column {error.colno}"
        raise FhirError(file, "", what, "a FHIR resource in JSON (XML and NDJSON are not read)") from None
    except RecursionError:
        raise FhirError(file, "", "nested too deep", f"at most {DEPTH_MAX} levels") from None
    except ValueError:
        raise FhirError(file, "", "a number with too many digits", "a FHIR decimal or integer") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(found)


def _check(file: str, pointer: str, name: str, value: Any, depth: int) -> None:
    def refuse(what: str, expected: str) -> NoReturn:
        raise FhirError(file, pointer, what, expected)

    if depth > DEPTH_MAX:
        refuse("nested too deep", f"at most {DEPTH_MAX} levels")
    if isinstance(value, _Doubled):
        refuse("an object with a name twice", "each name once")
    if isinstance(value, _NotANumber) or (isinstance(value, float) and not math.isfinite(value)):
        refuse("not a number", "a finite number")
    if value is None or value in ("", [], {}):
        refuse("null or empty", "a value, or no element at all (R4 JSON: no empty or null property)")
    if isinstance(value, str) and _FORBIDDEN_CHARACTER.search(value):
        refuse("a character that FHIR text must not hold", "no control characters but tab, CR and LF")
    if isinstance(value, dict):
        for key, member in value.items():
            _check(file, pointer_to(pointer, key), key, member, depth + 1)
    if isinstance(value, list):
        _check_items(file, pointer, name, value, depth)


def _check_items(file: str, pointer: str, name: str, items: list[Any], depth: int) -> None:
    """Null only holds a place in an array of primitives, and in the `_name` array beside it (R4 JSON)."""
    may_hold_null = name.startswith("_") or not any(isinstance(item, dict | list) for item in items)
    for index, item in enumerate(items):
        if item is not None or not may_hold_null:
            _check(file, pointer_to(pointer, index), name, item, depth + 1)
