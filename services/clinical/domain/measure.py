"""One answered measure: its raw answers, what its rule makes of them, and the screen that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.clinical import Instrument, MeasureAdministered, SuicideRiskScreenRequested
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from services.clinical.domain.instruments import (
    GAD7,
    PHQ9,
    SELF_HARM_ITEM,
    AnswersRefused,
    SumScore,
    asks_for_suicide_screen,
)
from services.clinical.domain.refusals import AdministeredTooLongAgo, AnswersMisfit, NotYetAdministered

SCORED: dict[Instrument, SumScore] = {Instrument.PHQ9: PHQ9, Instrument.GAD7: GAD7}
"""The instruments that have a score; the C-SSRS screener has none."""


BACK_DAYS_MAX = 366
"""How long after its answers a measure is taken. An assumption: an episode and its intake are shorter."""


class Measure(Aggregate):
    """A measure as it was answered; it never changes: what was asked again is a measure of its own."""

    category: ClassVar[str] = "measure"
    patient: UUID | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case MeasureAdministered():
                self.patient = fact.patient

    @classmethod
    def administer(cls, given: MeasureAdministered, at: datetime) -> Self:
        """Keep the answers; PHQ-9 item 9 above 0 or open asks for a screen at once, whatever the total.

        Raises NotYetAdministered, AdministeredTooLongAgo.
        """
        today = at.astimezone(UTC).date()
        if given.administered_on > today:
            raise NotYetAdministered(today=today)
        if given.administered_on < (earliest := today - timedelta(days=BACK_DAYS_MAX)):
            raise AdministeredTooLongAgo(days=BACK_DAYS_MAX, earliest=earliest)
        measure = cls.start(given.measure, given, answered_at(given.administered_on, at))
        if given.instrument is Instrument.PHQ9 and asks_for_suicide_screen(given.answers):
            item_9 = given.answers[SELF_HARM_ITEM - 1]
            due = SuicideRiskScreenRequested(patient=given.patient, measure=given.measure, item_9=item_9)
            measure.record(due, at)
        return measure


def scored(
    *,
    measure: UUID,
    patient: UUID,
    episode: UUID,
    instrument: Instrument,
    answers: Sequence[int | None],
    administered_on: date,
) -> MeasureAdministered:
    """The event of these answers, with score and band by the instrument's rule. Raises AnswersMisfit."""
    rule = SCORED.get(instrument)
    if rule is None:
        raise AnswersMisfit(expected=f"a measure with a score ({', '.join(SCORED)})")
    try:
        score = rule.score(answers)
    except AnswersRefused as refused:
        raise AnswersMisfit(expected=str(refused)) from None
    return MeasureAdministered(
        measure=measure,
        patient=patient,
        episode=episode,
        instrument=instrument,
        scoring=rule.scoring,
        answers=tuple(answers),
        score=score,
        band=None if score is None else rule.band(score),
        administered_on=administered_on,
    )


def answered_at(day: date, now: datetime) -> datetime:
    """When a measure was true: now, or noon UTC of the earlier day that it is entered for."""
    return now if day == now.astimezone(UTC).date() else datetime.combine(day, time(12), UTC)
