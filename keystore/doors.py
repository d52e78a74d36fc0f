"""Doors: where personal data is sealed as it comes in and opened as it goes out."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from enum import Enum
from typing import TypeVar
from uuid import UUID

import structlog
from caretrail_contracts.sealed import Sealed
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

from keystore.keys import NONCE_BYTES, Keystore

T = TypeVar("T", bound=BaseModel)


class Erased(Enum):
    """Stands for a value that nobody can open: its key was destroyed, or it does not open under its key."""

    ERASED = "‹erased›"
    UNREADABLE = "‹unreadable›"

    def __str__(self) -> str:
        return self.value


ERASED, UNREADABLE = Erased.ERASED, Erased.UNREADABLE


class Tampered(Exception):
    """A value does not open under its key."""


log = structlog.get_logger(__name__)


class Doors:
    """Seals, opens and digests for one service."""

    def __init__(self, keystore: Keystore, service: str) -> None:
        self._keystore, self._service = keystore, f"service:{service}"

    async def issue_key(self, owner: UUID | str) -> None:
        """Make the owner's key, if there is none yet: before a person's first event."""
        await self._keystore.issue(str(owner))

    async def seal(self, owner: UUID | str, value: T) -> Sealed[T]:
        """The value under its owner's key, with a nonce drawn once. Raises NoKey for a person without key.

        An owner ``service:<name>`` gets its key at first use.
        """
        name = str(owner)
        key = await (self._keystore.issue if name.startswith("service:") else self._keystore.of)(name)
        nonce, kind = os.urandom(NONCE_BYTES), type(value)
        ct = AESGCM(key.secret).encrypt(nonce, value.model_dump_json().encode(), _bound(name, kind))
        model: type[Sealed[T]] = Sealed[kind]  # type: ignore[valid-type]
        return model(kid=key.kid, nonce=b64encode(nonce).decode(), ct=b64encode(ct).decode())

    async def open(self, sealed: Sealed[T]) -> T | Erased:
        """The value, or ERASED where its key was destroyed.

        UNREADABLE where it does not open under its key: it was altered, moved to another owner or kind, or
        that key was lost and another one issued in its place. Who calls this has recorded the access first.
        """
        kind: type[T] = sealed.content()  # type: ignore[assignment]
        key = await self._keystore.named(sealed.kid)
        if key is None:
            return ERASED
        try:
            text = AESGCM(key.secret).decrypt(
                b64decode(sealed.nonce), b64decode(sealed.ct), _bound(sealed.owner, kind)
            )
        except InvalidTag:
            owner = "service" if sealed.owner.startswith("service:") else "patient"
            log.error("value_does_not_open", owner=owner)
            return UNREADABLE
        return kind.model_validate_json(text)

    async def digest(self, scope: str, text: str) -> str:
        """A keyed digest for matching without showing: HMAC-SHA256 in hex under the service's key."""
        key = await self._keystore.issue(self._service)
        return hmac.new(key.secret, f"{scope}|{text}".encode(), hashlib.sha256).hexdigest()


def _bound(owner: str, kind: type[BaseModel]) -> bytes:
    return f"{owner}|{kind.__name__}".encode()
