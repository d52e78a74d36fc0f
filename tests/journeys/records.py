"""What a stage's databases hold, read as an outsider would: by SQL and the documented format of sealing."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from caretrail_contracts import sealed as kinds
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import dict_row
from pydantic import BaseModel

from deploy.local.programs import SERVICES
from tests.journeys.stage import Stage

NONCE_BYTES = 12

KINDS = tuple(
    name
    for name, kind in vars(kinds).items()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and not name.startswith("_")
)


@dataclass(frozen=True, order=True)
class Fact:
    """An event as two homes must agree on it; ``payload`` is its body with every sealed value opened.

    ``actor`` is their id and role.
    """

    service: str
    stream: str
    stream_version: int
    type: str
    id: str
    occurred_at: datetime
    recorded_at: datetime
    site: str
    actor: str
    causation_id: str
    payload: str

    def __str__(self) -> str:
        what = f"{self.service} {self.stream}@{self.stream_version} {self.type}"
        where = f"{self.site or 'no site'} {self.actor} because of {self.causation_id or 'a person'}"
        return f"{what} {self.id} {self.occurred_at:%m-%d %H:%M:%S} {where} {self.payload[:300]}"


class Unsealing:
    """Opens sealed values with the keys of a home, by the format that keystore and doors document."""

    def __init__(self, stage: Stage) -> None:
        master = AESGCM((stage.home / "secrets" / "master.key").read_bytes())
        self._keys = {}
        for row in rows(
            stage.database("keystore"), "select kid, wrapped from keys where wrapped is not null"
        ):
            wrapped, kid = bytes(row["wrapped"]), row["kid"]
            secret = master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], kid.encode())
            self._keys[kid] = AESGCM(secret)

    def opened(self, value: Any) -> Any:
        """A JSON value in which each ``{kid, nonce, ct}`` is replaced by what it holds."""
        if isinstance(value, list):
            return [self.opened(part) for part in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"kid", "nonce", "ct"}:
            return self._open(value)
        return {name: self.opened(part) for name, part in value.items()}

    def _open(self, sealed: dict[str, str]) -> Any:
        owner = sealed["kid"].rpartition(".")[0]
        nonce, ct = b64decode(sealed["nonce"]), b64decode(sealed["ct"])
        for kind in KINDS:
            try:
                text = self._keys[sealed["kid"]].decrypt(nonce, ct, f"{owner}|{kind}".encode())
            except InvalidTag:
                continue
            return {kind: json.loads(text)}
        raise ValueError(f"a sealed value under {sealed['kid']} opens as no kind of the contracts")


def rows(address: str, query: str) -> list[dict[str, Any]]:
    """The rows of a query."""
    with psycopg.connect(address, row_factory=dict_row) as connection:
        return connection.execute(query.encode()).fetchall()


def facts(stage: Stage) -> list[Fact]:
    """Every event of every store, opened, in order."""
    unsealing = Unsealing(stage)
    return sorted(
        Fact(
            service,
            row["stream"],
            row["stream_version"],
            row["type"],
            str(row["id"]),
            row["occurred_at"],
            row["recorded_at"],
            row["site"] or "",
            f"{row['actor_id']};{row['actor_role']}",
            str(row["causation_id"] or ""),
            json.dumps(unsealing.opened(json.loads(bytes(row["body"]))), sort_keys=True),
        )
        for service in SERVICES
        for row in rows(stage.database(service), "select * from events")
    )
