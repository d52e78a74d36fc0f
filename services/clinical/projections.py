"""What clinical shows: scores over time, the risk board, diagnoses, session notes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from caretrail_contracts.clinical import (
    DiagnosisRecorded,
    MeasureAdministered,
    NoteSigned,
    NoteWithdrawn,
    RiskStatusChanged,
    SuicideRiskScreened,
    SuicideRiskScreenRequested,
)
from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.envelope import Envelope

from chassis.projection import Change, Projection, Table, on

MEASURES = Table(
    "measures",
    key={"measure": "uuid"},
    values={
        "patient": "uuid",
        "episode": "uuid",
        "instrument": "text",
        "scoring": "text",
        "score": "integer",
        "band": "text",
        "administered_on": "date",
        "position": "bigint",
    },
    indexes=("patient", "position"),
)
RISK_BOARD = Table(
    "risk_board",
    key={"patient": "uuid"},
    values={
        "level": "text",
        "since": "timestamptz",
        "rationale": "jsonb",
        "screen_asked_at": "timestamptz",
        "screened_at": "timestamptz",
        "screen_level": "text",
        "position": "bigint",
    },
    indexes=("position",),
)
DIAGNOSES = Table(
    "diagnoses",
    key={"episode": "uuid", "rank": "integer"},
    values={"patient": "uuid", "icd10": "text", "recorded_at": "timestamptz", "position": "bigint"},
)
NOTES = Table(
    "notes",
    key={"note": "uuid"},
    values={
        "patient": "uuid",
        "episode": "uuid",
        "session": "uuid",
        "clinician": "text",
        "text": "jsonb",
        "signed_at": "timestamptz",
        "withdrawn_at": "timestamptz",
        "reason": "text",
        "position": "bigint",
    },
    indexes=("patient", "session", "position"),
)
UUID_LENGTH = 36


class OutcomesTrajectory(Projection):
    """Scores by patient, instrument and day; a measure without a score stands there too."""

    version = 1
    tables = (MEASURES,)

    @on(MeasureAdministered)
    def administered(self, event: MeasureAdministered, about: Envelope) -> Iterator[Change]:
        """One more point."""
        yield MEASURES.put(
            measure=event.measure,
            patient=event.patient,
            episode=event.episode,
            instrument=event.instrument.value,
            scoring=event.scoring,
            score=event.score,
            band=event.band,
            administered_on=event.administered_on,
            position=about.position,
        )


class RiskBoard(Projection):
    """Each patient's risk, the last screen, and when one was asked for; an incomplete one asks again."""

    version = 1
    tables = (RISK_BOARD,)

    @on(SuicideRiskScreenRequested)
    def requested(self, event: SuicideRiskScreenRequested, about: Envelope) -> Iterator[Change]:
        """A screen is due."""
        asked = about.recorded_at
        yield RISK_BOARD.put(patient=event.patient, screen_asked_at=asked, position=about.position)

    @on(SuicideRiskScreened)
    def screened(self, event: SuicideRiskScreened, about: Envelope) -> Iterator[Change]:
        """It was taken to its end, or must be taken again."""
        incomplete = event.level is RiskLevel.INCOMPLETE
        yield RISK_BOARD.put(
            patient=event.patient,
            screened_at=about.occurred_at,
            screen_level=event.level.value,
            screen_asked_at=about.recorded_at if incomplete else None,
            position=about.position,
        )

    @on(RiskStatusChanged)
    def changed(self, event: RiskStatusChanged, about: Envelope) -> Iterator[Change]:
        """The risk rose, or a clinician stated it."""
        yield RISK_BOARD.put(
            patient=event.patient,
            level=event.level.value,
            since=about.occurred_at,
            rationale=event.rationale,
            position=about.position,
        )


class Diagnoses(Projection):
    """The diagnoses of each episode as they are ranked now."""

    version = 1
    tables = (DIAGNOSES,)

    @on(DiagnosisRecorded)
    def recorded(self, event: DiagnosisRecorded, about: Envelope) -> Iterator[Change]:
        """The rank holds this one now."""
        yield DIAGNOSES.put(
            episode=event.episode,
            rank=event.rank,
            patient=event.patient,
            icd10=event.icd10,
            recorded_at=about.occurred_at,
            position=about.position,
        )


class SignedNotes(Projection):
    """The session notes, those in force and those withdrawn."""

    version = 1
    tables = (NOTES,)

    @on(NoteSigned)
    def signed(self, event: NoteSigned, about: Envelope) -> Iterator[Change]:
        """In force."""
        yield NOTES.put(
            note=event.note,
            patient=event.patient,
            episode=event.episode,
            session=event.session,
            clinician=event.clinician,
            text=event.text,
            signed_at=about.occurred_at,
            withdrawn_at=None,
            reason=None,
            position=about.position,
        )

    @on(NoteWithdrawn)
    def withdrawn(self, event: NoteWithdrawn, about: Envelope) -> Iterator[Change]:
        """Out of force; the event's stream says which note."""
        note = UUID(about.stream[-UUID_LENGTH:])
        yield NOTES.put(note=note, withdrawn_at=about.occurred_at, reason=event.reason)
