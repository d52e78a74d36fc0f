"""Session notes: signed and withdrawn."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.clinical import NoteSigned
from caretrail_contracts.codes import Code, Npi
from caretrail_contracts.sealed import FreeText, Sealed

from chassis.command import Command, Work
from services.clinical.commands.registry import handlers
from services.clinical.domain.note import Note, note_id


class SignNote(Command):
    """A clinician signs the note of one member's session."""

    patient: UUID
    episode: UUID
    session: UUID
    clinician: Npi
    text: Sealed[FreeText]


@handlers.handles(SignNote)
async def sign_note(command: SignNote, work: Work) -> None:
    """One note of a session is in force. Refuses NoteStands."""
    id = note_id(command.session, command.patient)
    signed = NoteSigned(
        note=id,
        patient=command.patient,
        episode=command.episode,
        session=command.session,
        clinician=command.clinician,
        text=command.text,
    )
    note = await work.find(Note, id)
    if note:
        note.sign(signed, work.now)
    else:
        work.add(Note.first(signed, work.now))


class WithdrawNote(Command):
    """A signed note must not stand."""

    note: UUID
    reason: Code


@handlers.handles(WithdrawNote)
async def withdraw_note(command: WithdrawNote, work: Work) -> None:
    """Out of force. Refuses NotFound, NoteWasWithdrawn."""
    (await work.load(Note, command.note)).withdraw(command.reason, work.now)
