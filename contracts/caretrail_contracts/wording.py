"""Wording: what was expected where something does not fit, in plain words; of what stands there, nothing."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

WORDS = json.loads(files("caretrail_contracts").joinpath("words.json").read_bytes())
"""The words for what a schema expected, by pydantic's kinds of errors and by patterns."""


def describe(error: Exception) -> str:
    """An error without the values that it is about: its class, and places with what was expected there.

    Of a database's error the constraint and the table that refused.
    """
    if isinstance(error, ValidationError):
        faults = [("/".join(map(str, known(item))), expected_of(item)) for item in error.errors()]
        return f"{error.title}: {'; '.join(f'/{at}: expected {words}' for at, words in faults)}"[:400]
    said = getattr(error, "diag", None)
    parts = [(what, getattr(said, f"{what}_name", None)) for what in ("constraint", "table")]
    return ", ".join([type(error).__name__, *(f"{what} {name}" for what, name in parts if name)])


def known(item: Any) -> tuple[Any, ...]:
    """Where an error of pydantic lies, without the name of an unknown field: it could be anything."""
    return tuple(item["loc"][:-1] if item["type"] == "extra_forbidden" else item["loc"])


def expected_of(item: Any) -> str:
    """What was expected, in plain words; of the input nothing."""
    kind, facts = item["type"], item.get("ctx", {})
    if kind in ("enum", "literal_error"):
        return "one of {}".format(", ".join(re.findall("'([^']*)'", facts["expected"])))[:400]
    if kind == "value_error":
        return str(facts["error"]).removeprefix("expected ")[:400]
    words = WORDS["expected"]
    plain = words.get(kind) or words.get(kind.partition("_")[0], words["other"])
    pattern = facts.get("pattern")
    return str(WORDS["forms"].get(pattern) or plain).format_map(facts)[:400]
