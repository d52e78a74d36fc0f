"""The one refusal of the FHIR reader."""

from __future__ import annotations

from functools import cache
from importlib import import_module


def _is_shown(part: str) -> bool:
    return part in ("", "?", "resourceType") or part.isdecimal() or part.removeprefix("_") in _elements()


@cache
def _elements() -> frozenset[str]:
    """The names of all elements of the resource types that are read, and of the types that these use."""
    from fhir_core.fhirabstractmodel import FHIRAbstractModel

    from .r4 import READ_TYPES

    for name in READ_TYPES:
        import_module(f"fhir.resources.R4B.{name.lower()}")
    kinds, found = [FHIRAbstractModel], set[str]()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found |= set(kind.elements_sequence()) if "elements_sequence" in vars(kind) else set()
    return frozenset(found)


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
