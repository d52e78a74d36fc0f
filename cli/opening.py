"""Opens sealed values by asking audit, which records who looked and why before it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from caretrail_contracts.sealed import Sealed

from cli import screen, service
from cli.problem import Problem

if TYPE_CHECKING:
    import httpx


async def open_sealed(
    audit: httpx.AsyncClient, patient: UUID | None, values: Sequence[Sealed[Any]], resource: str
) -> list[Any]:
    """The values, in order; ``‹erased›`` for one whose key was destroyed, ``‹unreadable›`` for all where one
    does not open under its key.

    Asks ``POST /open`` with ``{"patient", "values": [{"kind", "kid", "nonce", "ct"}], "resource"}`` and reads
    ``{"values": [value or null]}``; the client's headers name actor and purpose. Raises Problem.
    """
    asked = {
        "patient": None if patient is None else str(patient),
        "values": [{"kind": value.content().__name__, **value.model_dump()} for value in values],
        "resource": resource,
    }
    try:
        found = service.answer(await audit.post("/open", json=asked))
    except Problem as problem:
        if problem.title != "Tampered":
            raise
        return [screen.UNREADABLE_TEXT] * len(values)
    opened = found.get("values") if isinstance(found, Mapping) else None
    if not isinstance(opened, list) or len(opened) != len(values):
        raise Problem("audit's answer to /open holds another number of values than were asked for")
    return [screen.ERASED_TEXT if value is None else value for value in opened]
