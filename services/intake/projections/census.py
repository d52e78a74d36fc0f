"""The census: who was in care when, in which track and at which site."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import PatientAdmitted, PatientDischarged

from chassis.projection import Change, Projection, Table, on

EPISODES = Table(
    "episodes",
    key={"episode": "uuid"},
    values={
        "patient": "uuid",
        "referral": "uuid",
        "track": "text",
        "site": "text",
        "level_of_care": "text",
        "payer": "text",
        "admitted_on": "date",
        "discharged_on": "date",
        "discharge_type": "text",
        "position": "bigint",
    },
    indexes=("position", "patient", "site, track"),
)


class Census(Projection):
    """Who was in care when."""

    tables = (EPISODES,)

    @on(PatientAdmitted)
    def admitted(self, event: PatientAdmitted, about: Envelope) -> Iterator[Change]:
        """An episode opened."""
        yield EPISODES.put(
            episode=event.episode,
            patient=event.patient,
            referral=event.referral,
            track=event.track,
            site=event.site,
            level_of_care=event.level_of_care.value,
            payer=event.payer,
            admitted_on=event.admitted_on,
            position=about.position,
        )

    @on(PatientDischarged)
    def discharged(self, event: PatientDischarged, about: Envelope) -> Iterator[Change]:
        """An episode closed."""
        yield EPISODES.put(
            episode=event.episode,
            discharged_on=event.discharged_on,
            discharge_type=event.discharge_type.value,
        )
