"""The ranked diagnoses of an episode; rank 1 is the principal one."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.clinical import DiagnosisRecorded
from caretrail_contracts.event import Event

from chassis.aggregate import Aggregate
from services.clinical.domain.refusals import DiagnosisRanked, EpisodeOfAnother


class Diagnoses(Aggregate):
    """An episode's diagnoses by rank, each code at one rank only."""

    category: ClassVar[str] = "diagnoses"
    patient: UUID | None = None
    by_rank: dict[int, str] = field(default_factory=dict)

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case DiagnosisRecorded():
                self.patient = fact.patient
                self.by_rank[fact.rank] = fact.icd10

    @classmethod
    def first(cls, diagnosis: DiagnosisRecorded, at: datetime) -> Self:
        """The first diagnosis of an episode."""
        return cls.start(diagnosis.episode, diagnosis, at)

    def rank(self, diagnosis: DiagnosisRecorded, at: datetime) -> None:
        """Record a diagnosis in place of what had its rank; one that had another rank changes places with it.

        Raises EpisodeOfAnother, DiagnosisRanked where it would leave its own rank empty.
        """
        if diagnosis.patient != self.patient:
            raise EpisodeOfAnother(episode=self.id)
        replaced, held = self.by_rank.get(diagnosis.rank), self._rank_of(diagnosis.icd10)
        if replaced == diagnosis.icd10:
            return
        if held is not None and replaced is None:
            raise DiagnosisRanked(held=held)
        self.record(diagnosis, at)
        if held is not None:
            self.record(diagnosis.model_copy(update={"icd10": replaced, "rank": held}), at)

    def _rank_of(self, icd10: str) -> int | None:
        return next((rank for rank, code in self.by_rank.items() if code == icd10), None)
