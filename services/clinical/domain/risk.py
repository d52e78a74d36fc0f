"""A patient's suicide risk: raised by screens, lowered by a clinician's word alone."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.clinical import RiskStatusChanged, SuicideRiskScreened
from caretrail_contracts.codes import RiskLevel
from caretrail_contracts.event import Event
from caretrail_contracts.sealed import FreeText, Sealed

from chassis.aggregate import Aggregate
from services.clinical.domain.instruments import (
    AnswersRefused,
    ScreenAnswers,
    ScreenForm,
    suicide_risk,
)
from services.clinical.domain.refusals import AnswersMisfit, RiskNotStated, RiskUnchanged

SEVERITY = (RiskLevel.NONE, RiskLevel.LOW, RiskLevel.INCOMPLETE, RiskLevel.MODERATE, RiskLevel.HIGH)
"""From least to most. The triage points of the C-SSRS screener (Columbia Lighthouse Project) place answers
alone: without them nobody knows, so an incomplete screen never reads as low or none."""


class Risk(Aggregate):
    """One patient's risk; nobody knows of any before the first screen or word."""

    category: ClassVar[str] = "risk"
    patient: UUID | None = None
    level: RiskLevel = RiskLevel.NONE

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case SuicideRiskScreened():
                self.patient = fact.patient
            case RiskStatusChanged():
                self.patient, self.level = fact.patient, fact.level

    @classmethod
    def first_screen(cls, screened: SuicideRiskScreened, at: datetime) -> Self:
        """The patient's first screen."""
        risk = cls.start(screened.patient, screened, at)
        risk._rise(screened.level, at)
        return risk

    @classmethod
    def first_word(cls, patient: UUID, level: RiskLevel, rationale: Sealed[FreeText], at: datetime) -> Self:
        """A clinician's word before any screen. Raises RiskNotStated, RiskUnchanged."""
        return cls.start(patient, _change(patient, RiskLevel.NONE, level, rationale), at)

    def screen(self, screened: SuicideRiskScreened, at: datetime) -> None:
        """A screen may raise the risk and never lowers it."""
        self.record(screened, at)
        self._rise(screened.level, at)

    def state(self, level: RiskLevel, rationale: Sealed[FreeText], at: datetime) -> None:
        """A clinician raises or lowers the risk. Raises RiskNotStated, RiskUnchanged."""
        self.record(_change(self.id, self.level, level, rationale), at)

    def _rise(self, level: RiskLevel, at: datetime) -> None:
        if SEVERITY.index(level) > SEVERITY.index(self.level):
            self.record(RiskStatusChanged(patient=self.id, previous=self.level, level=level), at)


def _change(
    patient: UUID, previous: RiskLevel, level: RiskLevel, rationale: Sealed[FreeText]
) -> RiskStatusChanged:
    if level is RiskLevel.INCOMPLETE:
        raise RiskNotStated
    if level is previous:
        raise RiskUnchanged(level=level.value)
    return RiskStatusChanged(patient=patient, previous=previous, level=level, rationale=rationale)


def screened(patient: UUID, form: ScreenForm, answers: ScreenAnswers) -> SuicideRiskScreened:
    """The event of a screener's answers, with the level of its triage. Raises AnswersMisfit."""
    try:
        level = suicide_risk(answers, form)
    except AnswersRefused as refused:
        raise AnswersMisfit(expected=str(refused)) from None
    kept = tuple(None if answer is None else answer.value for answer in answers)
    return SuicideRiskScreened(patient=patient, level=level, form=form.value, answers=kept)
