"""Patients at clinical's doors: known by their key, their words sealed and opened under it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from caretrail_contracts.sealed import FreeText, Sealed
from caretrail_contracts.system import Place

from keystore.doors import Erased
from keystore.keys import NoKey
from web.http import Caller
from web.problems import Unreadable

CLOSED = "‹sealed›"
"""What stands for a sealed text that nobody asked to open."""


async def seal_words(caller: Caller, patient: UUID, text: str) -> Sealed[FreeText]:
    """What somebody wrote about a patient, sealed. Raises Problem for an id that is no patient's."""
    try:
        return await caller.seal(patient, FreeText(text))
    except NoKey:
        place = Place(at="/patient", expected="the id that intake gave the patient")
        detail = f"There is no patient {patient}, or their data was erased."
        raise Unreadable(404, "UnknownPatient", detail, (place,)) from None


async def require_patient(caller: Caller, patient: UUID) -> None:
    """Raise Problem for an id that is no patient's.

    A person has a key before intake's first event about them: asking the keystore waits for no topic.
    Nobody asks after episodes and sessions: clinical follows no service, lest lag keep a risk off the record.
    """
    await seal_words(caller, patient, CLOSED)


async def words(
    caller: Caller, patient: UUID, sealed: dict[str, Any] | None, *, resource: str, opened: bool
) -> str | None:
    """A kept text as the caller may see it: closed, or opened with the access recorded; None if none."""
    if sealed is None or not opened:
        return None if sealed is None else CLOSED
    [text] = await caller.open(patient, [Sealed[FreeText].model_validate(sealed)], resource=resource)
    return str(text if isinstance(text, Erased) else text.root)
