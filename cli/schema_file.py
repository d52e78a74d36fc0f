"""A JSON Schema (2020-12) from a file, or a problem that says why it is none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.problem import Place, Problem

PLACES_MAX = 5
"""Places named at most: the first one mostly explains the others."""


NO_REGEX = (
    *("missing ), unterminated subpattern", "unbalanced parenthesis", "unterminated character set"),
    *("nothing to repeat", "min repeat greater than max repeat", "bad escape (end of pattern)"),
)
"""What Python says of a pattern that is a regular expression nowhere."""


def schema_from(path: Path) -> Any:
    """The schema in a file. Raises Problem, which names places, no values: it may be any document."""
    from caretrail_contracts.schemas import DIALECT

    document = _document(path)
    if not isinstance(document, dict | bool):
        raise _no_schema(path, "a JSON Schema is an object, or true or false")
    dialect = document.get("$schema", DIALECT) if isinstance(document, dict) else DIALECT
    if not isinstance(dialect, str) or dialect.removesuffix("#") != DIALECT:
        raise _no_schema(path, "it declares another dialect", Place("/$schema", DIALECT))
    try:
        places = list(_wrong(document))
    except RecursionError:
        raise _too_deep(path) from None
    if places:
        raise _no_schema(path, "these places are not as JSON Schema 2020-12 has them", *places[:PLACES_MAX])
    return document


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse, parse_float=_finite)
    except OSError as error:
        raise Problem("The file cannot be read.", error.strerror or "").about(str(path)) from None
    except RecursionError:
        raise _too_deep(path) from None
    except ValueError:
        raise _no_schema(path, "it is no JSON") from None


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _no_schema(path: Path, why: str, *places: Place) -> Problem:
    return Problem("This is no JSON Schema.", f"{why}.", places=places).about(str(path))


def _too_deep(path: Path) -> Problem:
    return Problem(
        "The file is nested too deep to look at.", "Some 80 levels of schemas can be compared."
    ).about(str(path))


def _wrong(document: Any) -> Iterator[Place]:
    """Places that the meta-schema refuses, also inside sealed values and where references lead."""
    from caretrail_contracts.schema_node import escaped
    from jsonschema import Draft202012Validator, FormatChecker

    formats = FormatChecker(formats=())
    formats.checks("regex", raises=re.error)(_compiled)
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=formats)
    for at, schema in [("", document), *_hidden(document, document, "")]:
        for error in meta.iter_errors(schema):
            pointer = at + "".join(f"/{escaped(step)}" for step in error.absolute_path)
            yield Place(pointer, f"{error.validator} {json.dumps(error.validator_value)[:80]}")


def _compiled(pattern: object) -> bool:
    """Whether a text may be a regular expression. Raises re.error where it is none in any dialect.

    JSON Schema has those of ECMA-262, of which Python's differ: only what neither takes is refused.
    """
    if not isinstance(pattern, str) or any(theirs in pattern for theirs in ("[]", "[^]", "{,")):
        return True
    try:
        re.compile(pattern)
    except re.error as error:
        if error.msg.startswith(NO_REGEX):
            raise
    return True


def _hidden(document: Any, part: Any, at: str) -> Iterator[tuple[str, Any]]:
    """Schemas that the meta-schema does not come by, each with its pointer."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if not isinstance(part, dict):
        return
    from caretrail_contracts.schema_node import escaped

    for key, inner in part.items():
        place = f"{at}/{escaped(key)}"
        if key == "x-sealed":
            yield place, inner
            yield from ((place + below, hidden) for below, hidden in _hidden(inner, inner, ""))
            continue
        if key == "$ref" and isinstance(inner, str):
            yield from _referred(document, inner)
        yield from _hidden(document, inner, place)


def _referred(document: Any, reference: str) -> Iterator[tuple[str, Any]]:
    from caretrail_contracts.schema_node import escaped, steps_of

    part, steps = document, steps_of(reference, document)
    for step in steps or ():
        if isinstance(part, list):
            part = {str(index): inner for index, inner in enumerate(part)}
        part = part.get(step) if isinstance(part, dict) else None
    if steps and part is not None:
        yield "".join(f"/{escaped(step)}" for step in steps), part
