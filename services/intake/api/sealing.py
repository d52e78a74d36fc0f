"""Personal data at intake's door: sealed as it comes in, shown closed or opened as it goes out."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from caretrail_contracts.sealed import EmailAddress, PhoneNumber, PostalAddress, Sealed
from pydantic import BaseModel

from chassis.refusal import NotFound
from keystore.doors import Erased
from keystore.keys import NoKey
from services.intake.api.bodies import ContactBody
from services.intake.domain.person import Contact
from web.http import Caller

CLOSED = "‹sealed›"

T = TypeVar("T", bound=BaseModel)
Kinds = dict[str, type[BaseModel]]
"""The sealed columns of a table, each with the kind of value inside."""


async def sealed(caller: Caller, owner: UUID, kind: type[T], value: object) -> Sealed[T] | None:
    """A value under its owner's key; None stays None. Raises NotFound where the patient has no key."""
    if value is None:
        return None
    try:
        return await caller.seal(owner, kind.model_validate(value))
    except NoKey:
        raise NotFound(kind="patient", id=owner) from None


async def sealed_contact(caller: Caller, patient: UUID, body: ContactBody) -> Contact:
    """A contact, sealed."""
    return Contact(
        address=await sealed(caller, patient, PostalAddress, body.address and dict(body.address)),
        email=await sealed(caller, patient, EmailAddress, body.email),
        phone=await sealed(caller, patient, PhoneNumber, body.phone),
    )


def closed(row: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
    """A row whose sealed columns say only that there is something."""
    return {**row, **{name: CLOSED for name in kinds if row[name] is not None}}


async def opened(caller: Caller, row: dict[str, Any], kinds: Kinds, *, resource: str) -> dict[str, Any]:
    """A row whose sealed columns are open; the access is recorded first."""
    known = [name for name in kinds if row[name] is not None]
    values = [Sealed[kinds[name]].model_validate(row[name]) for name in known]  # type: ignore[valid-type]
    shown = [_shown(value) for value in await caller.open(row["patient"], values, resource=resource)]
    return {**row, **dict(zip(known, shown, strict=True))}


def _shown(value: BaseModel | Erased) -> Any:
    return str(value) if isinstance(value, Erased) else value.model_dump(mode="json")
