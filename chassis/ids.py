"""Ids that derive from causes: the same cause gives the same id, on every machine."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("6f1a3b52-5f0c-5d3e-9c57-0f3f6a1e9b10")
"""Namespace of every id of the project; changing it changes every id."""

_BEGUN = sha1(NAMESPACE.bytes, usedforsecurity=False)


def derive(*parts: object) -> UUID:
    """A name-based UUID (RFC 9562 version 5) of the parts, in order."""
    digest = _BEGUN.copy()
    digest.update("|".join(map(str, parts)).encode())
    return UUID(bytes=digest.digest()[:16], version=5)
