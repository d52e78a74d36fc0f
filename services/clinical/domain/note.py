"""The note of one member's session: signed, withdrawn, and then signed anew."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.clinical import NoteSigned, NoteWithdrawn
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.clinical.domain.refusals import NoteStands, NoteWasWithdrawn


def note_id(session: UUID, patient: UUID) -> UUID:
    """The id of the one note of this patient's session."""
    return derive("note", session, patient)


class Note(Aggregate):
    """In force from a signature to a withdrawal."""

    category: ClassVar[str] = "note"
    patient: UUID | None = None
    session: UUID | None = None
    withdrawn_for: str | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case NoteSigned():
                self.patient, self.session = fact.patient, fact.session
                self.withdrawn_for = None
            case NoteWithdrawn():
                self.withdrawn_for = fact.reason

    @classmethod
    def first(cls, note: NoteSigned, at: datetime) -> Self:
        """The first signature."""
        return cls.start(note.note, note, at)

    def sign(self, note: NoteSigned, at: datetime) -> None:
        """Sign anew what was withdrawn. Raises NoteStands: a signed note is not written over."""
        if self.withdrawn_for is None:
            raise NoteStands(note=self.id)
        self.record(note, at)

    def withdraw(self, reason: str, at: datetime) -> None:
        """Take the note out of force. Raises NoteWasWithdrawn where it was, for another reason."""
        if self.withdrawn_for not in (None, reason):
            raise NoteWasWithdrawn(note=self.id, reason=self.withdrawn_for)
        if self.withdrawn_for is None:
            assert self.session is not None
            self.record(NoteWithdrawn(session=self.session, reason=reason), at)
