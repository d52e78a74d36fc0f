"""The one refusal of the FHIR reader."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args


def _is_shown(part: str) -> bool:
    return part in ("", "?", "resourceType") or part.isdecimal() or part.removeprefix("_") in _elements()


@cache
def _elements() -> frozenset[str]:
    """The names of all elements of the resource types that are read, and of the types that these use."""
    from fhir.resources.R4B import get_fhir_model_class

    from .r4 import READ_TYPES

    kinds: list[Any] = [get_fhir_model_class(name) for name in READ_TYPES]
    seen, found = set[Any](), set[str]()
    while kinds:
        kind = kinds.pop()
        if kind in seen:
            continue
        seen.add(kind)
        found |= set(kind.elements_sequence())
        # The library loads a type when it first reads one: what was read so far must not decide.
        used = [used for field in kind.model_fields.values() for used in _types(field.annotation)]
        kinds += [used.get_model_klass() for used in used if hasattr(used, "get_model_klass")]
    return frozenset(found)


def _types(annotation: Any) -> Iterator[Any]:
    """A type, or those that a type is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


class FhirError(ValueError):
    """A file is not a referral that can be read. It names a place and a rule, never a value of the file.

    `pointer` is an RFC 6901 JSON pointer into `file`, `""` being the whole document; in it `?` stands for a
    name that is no element's, which may be anything.
    """

    def __init__(self, file: str, pointer: str, what: str, expected: str) -> None:
        pointer = "/".join(part if _is_shown(part) else "?" for part in pointer.split("/"))
        super().__init__(f"{file}#{pointer}: {what}; expected {expected}")
        self.file = file
        self.pointer = pointer
        self.what = what
        self.expected = expected
