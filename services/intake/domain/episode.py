"""An episode of care: opened by an admission on an accepted referral, closed by a discharge."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Self
from uuid import UUID

from caretrail_contracts.event import Event
from caretrail_contracts.intake import DischargeType, PatientAdmitted, PatientDischarged

from chassis.aggregate import Aggregate
from chassis.ids import derive
from services.intake.domain.dates import is_future
from services.intake.domain.refusals import (
    AdmittedInFuture,
    DischargedBeforeAdmission,
    DischargedInFuture,
    EpisodeEnded,
)


def episode_id(referral: UUID) -> UUID:
    """The id of the one episode that a referral can lead to."""
    return derive("episode", referral)


class Episode(Aggregate):
    """One stay in the program."""

    category: ClassVar[str] = "episode"
    patient: UUID | None = None
    site: str | None = None
    admitted_on: date = date.min
    discharged_on: date | None = None

    def when(self, fact: Event) -> None:
        """Fold one event."""
        match fact:
            case PatientAdmitted():
                self.patient, self.site, self.admitted_on = fact.patient, fact.site, fact.admitted_on
            case PatientDischarged():
                self.discharged_on = fact.discharged_on

    @classmethod
    def admit(cls, admitted: PatientAdmitted, at: datetime) -> Self:
        """The person comes into care, on this day or an earlier one."""
        if is_future(admitted.admitted_on, at):
            raise AdmittedInFuture(admitted_on=admitted.admitted_on)
        return cls.start(admitted.episode, admitted, at)

    def discharge(self, discharge_type: DischargeType, on: date, at: datetime) -> None:
        """The person leaves care."""
        if self.discharged_on is not None:
            raise EpisodeEnded(episode=self.id, discharged_on=self.discharged_on)
        if on < self.admitted_on:
            raise DischargedBeforeAdmission(admitted_on=self.admitted_on)
        if is_future(on, at):
            raise DischargedInFuture(discharged_on=on)
        self.record(PatientDischarged(episode=self.id, discharge_type=discharge_type, discharged_on=on), at)
