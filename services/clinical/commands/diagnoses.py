"""Diagnoses of an episode."""

from __future__ import annotations

from uuid import UUID

from caretrail_contracts.clinical import DiagnosisRecorded
from caretrail_contracts.codes import Icd10

from chassis.command import Command, Work
from services.clinical.commands.registry import handlers
from services.clinical.domain.diagnoses import Diagnoses


class RecordDiagnosis(Command):
    """An episode has this diagnosis at this rank."""

    patient: UUID
    episode: UUID
    icd10: Icd10
    rank: int


@handlers.handles(RecordDiagnosis)
async def record_diagnosis(command: RecordDiagnosis, work: Work) -> None:
    """Replace what had the rank. Refuses EpisodeOfAnother, DiagnosisRanked."""
    diagnosis = DiagnosisRecorded(
        patient=command.patient, episode=command.episode, icd10=command.icd10, rank=command.rank
    )
    diagnoses = await work.find(Diagnoses, command.episode)
    if diagnoses:
        diagnoses.rank(diagnosis, work.now)
    else:
        work.add(Diagnoses.first(diagnosis, work.now))
