"""What clinical says no to."""

from __future__ import annotations

from typing import ClassVar

from chassis.refusal import Refusal


class AnswersMisfit(Refusal):
    """The answers do not fit the instrument: {expected}."""

    at: ClassVar[str | None] = "/answers"


class NotYetAdministered(Refusal):
    """A measure is recorded when it was answered: expected a day up to {today} (UTC)."""

    at: ClassVar[str | None] = "/administered_on"


class AdministeredTooLongAgo(Refusal):
    """A measure is entered within {days} days of its answers: expected a day from {earliest} on."""

    at: ClassVar[str | None] = "/administered_on"


class ClinicianOnly(Refusal):
    """Only a clinician states a patient's risk: act in the role {role}."""

    at: ClassVar[str | None] = "Caretrail-Actor"


class RiskNotStated(Refusal):
    """A clinician states a level of risk; incomplete says only that a screen was: expected another level."""

    at: ClassVar[str | None] = "/level"


class RiskUnchanged(Refusal):
    """The patient's risk is this one already; the rationale of a change needs a change."""

    at: ClassVar[str | None] = "/level"


class EpisodeOfAnother(Refusal):
    """Episode {episode} is another patient's."""

    at: ClassVar[str | None] = "/patient"


class DiagnosisRanked(Refusal):
    """This diagnosis has rank {held} already, and the new rank holds none to change places with."""

    at: ClassVar[str | None] = "/rank"


class NoteStands(Refusal):
    """Note {note} of this session is signed: withdraw it before another one is signed."""

    at: ClassVar[str | None] = "/session"


class NoteWasWithdrawn(Refusal):
    """Note {note} was withdrawn already."""

    at: ClassVar[str | None] = "/reason"
