"""Keys of persons and services: one each, wrapped by a master key, in a database of their own."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12

CACHED_MAX = 10_000
"""Keys kept in memory by a process."""


class NoKey(LookupError):
    """No key was issued for this owner, or it was destroyed."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its name, ``<owner>.<generation>``."""

    kid: str
    secret: bytes


class Keystore:
    """Keys in the keystore's database, each wrapped with AES-256-GCM under the master key.

    ``fetch`` gives the rows of a query on that database.
    """

    def __init__(self, fetch: Callable[..., Awaitable[list[dict[str, Any]]]], master: bytes) -> None:
        self._fetch, self._master = fetch, AESGCM(master)
        self._cache: dict[str, Key] = {}

    async def issue(self, owner: str) -> Key:
        """The owner's key, made now if there is none; safe against two makers at once."""
        kid = f"{owner}.1"
        if kid not in self._cache:
            nonce, secret = os.urandom(NONCE_BYTES), os.urandom(KEY_BYTES)
            wrapped = nonce + self._master.encrypt(nonce, secret, kid.encode())
            await self._fetch(ISSUE, kid, owner, wrapped)
        return await self.of(owner)

    async def of(self, owner: str) -> Key:
        """The owner's key. Raises NoKey."""
        found = await self.named(f"{owner}.1")
        if found is None:
            raise NoKey(owner)
        return found

    async def named(self, kid: str) -> Key | None:
        """The key of a name; None where it was destroyed."""
        if kid in self._cache:
            return self._cache[kid]
        found = await self._fetch("select wrapped from keys where kid = %s", kid)
        wrapped = found[0]["wrapped"] if found else None
        if wrapped is None:
            return None
        secret = self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], kid.encode())
        if len(self._cache) >= CACHED_MAX:
            self._cache.clear()
        self._cache[kid] = Key(kid, secret)
        return self._cache[kid]


ISSUE = b"""
insert into keys (kid, owner, wrapped) values (%s, %s, %s) on conflict (kid) do nothing returning kid
"""


MASTER = "master.key"
"""The file of the master key among a home's secrets."""


class BadMaster(Exception):
    """A home has no master key, or one that cannot be one: which file, and what to do."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}: put the key back that the home's databases were made with")


def check_value(master: bytes) -> str:
    """What tells a master key from another, and nothing of it: its HMAC-SHA256 of a constant, in hex."""
    return hmac.new(master, b"check value of a master key", hashlib.sha256).hexdigest()


def unwraps(master: bytes, kid: str, wrapped: bytes) -> bool:
    """Whether a key is wrapped under this master key."""
    try:
        AESGCM(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], kid.encode())
    except InvalidTag:
        return False
    return True


def master_key(secrets: Path) -> bytes:
    """The master key of a home, made at the first call, for its owner alone to read. Raises BadMaster."""
    if not (secrets / MASTER).exists():
        path = secrets / MASTER
        secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
    return master_of(secrets)


def master_of(secrets: Path) -> bytes:
    """The master key that a home has. Raises BadMaster where it has none that can be one."""
    path = secrets / MASTER
    try:
        found = path.read_bytes()
    except OSError as error:
        raise BadMaster(path, f"cannot be read ({type(error).__name__})") from error
    if len(found) != KEY_BYTES:
        raise BadMaster(path, f"has {len(found)} bytes, not {KEY_BYTES}")
    return found
