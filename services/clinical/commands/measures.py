"""Measures as they are answered."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from caretrail_contracts.clinical import Instrument

from chassis.command import Command, Work
from services.clinical.commands.registry import handlers
from services.clinical.domain.diagnoses import Diagnoses
from services.clinical.domain.measure import Measure, scored
from services.clinical.domain.refusals import EpisodeOfAnother


class AdministerMeasure(Command):
    """A patient answered a measure; None where an item was left open.

    ``measure`` derives from the request: what is answered twice on a day is two measures.
    """

    measure: UUID
    patient: UUID
    episode: UUID
    instrument: Instrument
    answers: tuple[int | None, ...]
    administered_on: date


@handlers.handles(AdministerMeasure)
async def administer_measure(command: AdministerMeasure, work: Work) -> None:
    """Score and keep it. Refuses AnswersMisfit, EpisodeOfAnother and a day that cannot be."""
    if await work.find(Measure, command.measure):
        return
    known = await work.find(Diagnoses, command.episode)
    if known and known.patient != command.patient:
        raise EpisodeOfAnother(episode=command.episode)
    given = scored(
        measure=command.measure,
        patient=command.patient,
        episode=command.episode,
        instrument=command.instrument,
        answers=command.answers,
        administered_on=command.administered_on,
    )
    work.add(Measure.administer(given, work.now))
