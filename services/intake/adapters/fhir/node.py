"""An object of a FHIR file with its place, read element by element; wrong types are refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .document import pointer_to
from .errors import FhirError


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A JSON object, its file and its JSON pointer there. Every method raises FhirError on a wrong type."""

    file: str
    pointer: str
    content: Mapping[str, Any]

    def refusal(self, name: str | None, what: str, expected: str) -> FhirError:
        """The error for this object, or for its member `name`."""
        pointer = self.pointer if name is None else pointer_to(self.pointer, name)
        return FhirError(self.file, pointer, what, expected)

    def text(self, name: str) -> str | None:
        """A string, or None where the file is silent."""
        value = self.content.get(name)
        if value is not None and not isinstance(value, str):
            raise self.refusal(name, "not a string", "a string")
        return value

    def code(self, name: str, allowed: Collection[str]) -> str | None:
        """A string out of a required value set."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self.refusal(name, "a code that R4 does not allow here", " | ".join(sorted(allowed)))
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        value = self.content.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.refusal(name, "not a boolean", "true or false")
        return value

    def number(self, name: str) -> int | None:
        """An integer."""
        value = self.content.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self.refusal(name, "not an integer", "an integer")
        return value

    def child(self, name: str) -> Node | None:
        """An object."""
        value = self.content.get(name)
        return None if value is None else self._object(pointer_to(self.pointer, name), value)

    def children(self, name: str) -> list[Node]:
        """An array of objects."""
        place = pointer_to(self.pointer, name)
        return [self._object(pointer_to(place, index), item) for index, item in enumerate(self._array(name))]

    def texts(self, name: str) -> list[str]:
        """An array of strings, without the nulls that only hold a place."""
        items = [item for item in self._array(name) if item is not None]
        if not all(isinstance(item, str) for item in items):
            raise self.refusal(name, "not an array of strings", "strings, or null beside an extension")
        return items

    def _array(self, name: str) -> list[Any]:
        value = self.content.get(name, [])
        if not isinstance(value, list):
            raise self.refusal(name, "not an array", "an array")
        return value

    def _object(self, pointer: str, value: Any) -> Node:
        if not isinstance(value, dict):
            raise FhirError(self.file, pointer, "not an object", "an object")
        return Node(self.file, pointer, value)
