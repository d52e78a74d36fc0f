"""Clinical's events: measures, risk, diagnoses, signed notes."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from .codes import Code, Icd10, Npi, RiskLevel
from .event import Event
from .sealed import FreeText, Sealed


class Instrument(StrEnum):
    """Measures that the program gives."""

    PHQ9 = "phq-9"
    GAD7 = "gad-7"
    CSSRS = "c-ssrs"


class MeasureAdministered(Event, service="clinical"):
    """A measure was answered; score and band are None where its rule finds it incomplete."""

    measure: UUID
    patient: UUID
    episode: UUID
    instrument: Instrument
    scoring: Code
    answers: tuple[int | None, ...]
    score: int | None
    band: Code | None
    administered_on: date


class SuicideRiskScreenRequested(Event, service="clinical"):
    """PHQ-9 item 9 was above 0 or left unanswered: a C-SSRS screen is due now."""

    patient: UUID
    measure: UUID
    item_9: Annotated[int, Field(ge=0, le=3)] | None


class SuicideRiskScreened(Event, service="clinical"):
    """A C-SSRS screener was taken; it has no total score."""

    patient: UUID
    level: RiskLevel
    form: Code
    answers: tuple[Code | None, ...]


class RiskStatusChanged(Event, service="clinical"):
    """The patient's risk changed; only a clinician's rationale lowers it."""

    patient: UUID
    previous: RiskLevel
    level: RiskLevel
    rationale: Sealed[FreeText] | None = None


class DiagnosisRecorded(Event, service="clinical"):
    """A diagnosis of an episode, rank 1 being the principal one; the same rank again replaces it."""

    patient: UUID
    episode: UUID
    icd10: Icd10
    rank: Annotated[int, Field(ge=1, le=12)]


class NoteSigned(Event, service="clinical"):
    """The note of one member's session was signed: without it nothing is charged."""

    note: UUID
    patient: UUID
    episode: UUID
    session: UUID
    clinician: Npi
    text: Sealed[FreeText]


class NoteWithdrawn(Event, service="clinical"):
    """A signed note was withdrawn; what was charged on it must be corrected."""

    session: UUID
    reason: Code
