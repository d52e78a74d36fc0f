"""What is known of patients who get messages: contact, wishes, risk, whether they are in care.

Decisions ask what was known before this very instant. So a fact that can change and that a decision
reads is kept with the time at which it was learned, one row for each change.
"""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.clinical import RiskStatusChanged
from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import (
    ContactChanged,
    PatientAdmitted,
    PatientDischarged,
    PersonRegistered,
)
from caretrail_contracts.notifications import ContactOptedIn, ContactOptedOut

from chassis.projection import Change, Projection, Table, on

CONTACTS = Table(
    "contacts",
    key={"patient": "uuid", "position": "bigint"},
    values={"email": "jsonb", "time_zone": "text", "since": "timestamptz"},
)
OPT_OUTS = Table(
    "opt_outs",
    key={"patient": "uuid", "position": "bigint"},
    values={"channel": "text", "opted_out": "boolean", "since": "timestamptz"},
)
RISK_LEVELS = Table(
    "risk_levels",
    key={"patient": "uuid", "position": "bigint"},
    values={"level": "text", "since": "timestamptz"},
)
EPISODES = Table(
    "episodes",
    key={"episode": "uuid"},
    values={
        "patient": "uuid",
        "since": "timestamptz",
        "until": "timestamptz",
        "discharge_type": "text",
    },
    indexes=("patient",),
)


class Contacts(Projection):
    """Where patients can be reached, sealed, in which zone they live, and what they do not want."""

    version = 1
    tables = (CONTACTS, OPT_OUTS)

    @on(PersonRegistered, ContactChanged)
    def reachable(self, event: PersonRegistered | ContactChanged, about: Envelope) -> Iterator[Change]:
        """An address and a zone."""
        yield CONTACTS.put(
            patient=about.patient,
            position=about.position,
            email=event.email,
            time_zone=event.time_zone,
            since=about.recorded_at,
        )

    @on(ContactOptedOut)
    def opted_out(self, event: ContactOptedOut, about: Envelope) -> Iterator[Change]:
        """No messages."""
        yield _wish(event, about, True)

    @on(ContactOptedIn)
    def opted_in(self, event: ContactOptedIn, about: Envelope) -> Iterator[Change]:
        """Messages again."""
        yield _wish(event, about, False)


def _wish(event: ContactOptedOut | ContactOptedIn, about: Envelope, opted_out: bool) -> Change:
    return OPT_OUTS.put(
        patient=event.patient,
        position=about.position,
        channel=event.channel,
        opted_out=opted_out,
        since=about.recorded_at,
    )


class RiskFlags(Projection):
    """Each patient's risk, as clinicians set it."""

    version = 1
    tables = (RISK_LEVELS,)

    @on(RiskStatusChanged)
    def changed(self, event: RiskStatusChanged, about: Envelope) -> Iterator[Change]:
        """The risk is another one."""
        yield RISK_LEVELS.put(
            patient=event.patient,
            position=about.position,
            level=event.level.value,
            since=about.recorded_at,
        )


class Episodes(Projection):
    """Who is in care, and who left it how."""

    version = 1
    tables = (EPISODES,)

    @on(PatientAdmitted)
    def admitted(self, event: PatientAdmitted, about: Envelope) -> Iterator[Change]:
        """In care."""
        yield EPISODES.put(episode=event.episode, patient=event.patient, since=about.recorded_at)

    @on(PatientDischarged)
    def discharged(self, event: PatientDischarged, about: Envelope) -> Iterator[Change]:
        """No longer."""
        yield EPISODES.put(
            episode=event.episode,
            until=about.recorded_at,
            discharge_type=event.discharge_type.value,
        )
