"""Ids that derive from causes: the same cause gives the same id, on every machine."""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1a3b52-5f0c-5d3e-9c57-0f3f6a1e9b10")
"""Namespace of every id of the project; changing it changes every id."""


def derive(*parts: object) -> UUID:
    """A name-based UUID (RFC 9562 version 5) of the parts, in order."""
    return uuid5(NAMESPACE, "|".join(str(part) for part in parts))
