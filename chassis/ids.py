"""Ids that derive from causes: the same cause gives the same id, on every machine."""

from __future__ import annotations

from hashlib import sha1
from uuid import UUID

NAMESPACE = UUID("6f1a3b52-5f0c-5d3e-9c57-0f3f6a1e9b10")
"""Namespace of every id of the project; changing it changes every id."""

_BEGUN = sha1(NAMESPACE.bytes, usedforsecurity=False)


def derive(*parts: object) -> UUID:
    """A name-based UUID (RFC 9562 version 5) of the parts, in order."""
    return UUID(bytes=derived(*parts))


def derived(*parts: object) -> bytes:
    """The bytes of that UUID."""
    digest = _BEGUN.copy()
    digest.update("|".join(map(str, parts)).encode())
    octets = bytearray(digest.digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x50
    octets[8] = octets[8] & 0x3F | 0x80
    return bytes(octets)
