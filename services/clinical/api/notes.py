"""Session notes over HTTP; their text is opened only for who asks for it, one at a time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from caretrail_contracts.codes import Code, Npi
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from chassis.refusal import NotFound
from services.clinical.api.patients import CLOSED, seal_words, words
from services.clinical.commands.notes import SignNote, WithdrawNote
from services.clinical.domain.note import note_id
from web.http import Accepted, Calling
from web.paging import After, Limit, Page, page
from web.text import Lines

router = APIRouter()

_KEYS: JsonDict = {
    "patient": "5f0c2d3e-1b7a-5a4e-9f0e-7b1f6a3c2d11",
    "episode": "9b1d7c52-4a2f-5d8e-b1c3-6e5f4d3c2b1a",
    "session": "3d2c1b0a-9f8e-5d7c-a6b5-4c3d2e1f0a9b",
    "clinician": "1234567893",
}
_IN: JsonDict = {**_KEYS, "text": "Took part throughout; practiced urge surfing."}
_OUT: JsonDict = {
    "note": "0f6e3c8e-9a5b-5c0e-8a57-2f0c5f1c1a11",
    **_KEYS,
    "text": CLOSED,
    "signed_at": "2026-03-02T17:00:00Z",
    "withdrawn_at": None,
    "reason": None,
    "position": 31,
}


class NoteIn(BaseModel):
    """The note of one member's session, with the NPI of the clinician who signs it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_IN]})

    patient: UUID
    episode: UUID
    session: UUID
    clinician: Npi
    text: Lines


class NoteAccepted(Accepted):
    """The signed note's id: one for each session and patient."""

    note: UUID


class WithdrawalIn(BaseModel):
    """Why a note must not stand, as a code of the program."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "wrong-patient"}]})

    reason: Code


class NoteOut(BaseModel):
    """A note: in force while ``withdrawn_at`` is null. ``text`` is closed unless it was asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT]})

    note: UUID
    patient: UUID
    episode: UUID
    session: UUID
    clinician: str
    text: str = CLOSED
    signed_at: datetime
    withdrawn_at: datetime | None
    reason: str | None
    position: int


NOTES = b"""
select note, patient, episode, session, clinician, signed_at, withdrawn_at, reason, position from notes
where position > %s and (%s::uuid is null or patient = %s) and (%s::uuid is null or session = %s)
order by position limit %s
"""
NOTE = b"select * from notes where note = %s"


@router.post("/notes", status_code=201)
async def sign(body: NoteIn, caller: Calling) -> NoteAccepted:
    """Sign a note: without one nothing is charged for the session."""
    text = await seal_words(caller, body.patient, body.text)
    accepted = await caller.execute(SignNote(**body.model_dump(exclude={"text"}), text=text))
    return NoteAccepted(**accepted.model_dump(), note=note_id(body.session, body.patient))


@router.post("/notes/{note}/withdraw")
async def withdraw(note: UUID, body: WithdrawalIn, caller: Calling) -> Accepted:
    """Take a note out of force; another one may then be signed."""
    return await caller.execute(WithdrawNote(note=note, reason=body.reason))


@router.get("/notes")
async def notes(
    caller: Calling,
    patient: UUID | None = None,
    session: UUID | None = None,
    after: After = 0,
    limit: Limit = 100,
) -> Page[NoteOut]:
    """Notes in the order in which they were signed, their texts closed."""
    rows = await caller.rows(NOTES, after, patient, patient, session, session, limit + 1)
    return page(NoteOut, rows, limit)


@router.get("/notes/{note}")
async def one_note(note: UUID, caller: Calling, open: bool = False) -> NoteOut:
    """One note; ``open=true`` shows its text and is recorded as an access."""
    row = await caller.row(NOTE, note)
    if row is None:
        raise NotFound(kind="note", id=note)
    text = await words(caller, row["patient"], row["text"], resource="note", opened=open)
    return NoteOut.model_validate({**row, "text": text})
