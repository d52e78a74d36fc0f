"""The referral pipeline: every referral and how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from caretrail_contracts.envelope import Envelope
from caretrail_contracts.intake import (
    PatientAdmitted,
    ReferralAccepted,
    ReferralDeclined,
    ReferralDuplicateDetected,
    ReferralReceived,
    ReferralTriaged,
)

from chassis.projection import Change, Projection, Table, on
from services.intake.domain.referral import Status

UUID_LENGTH = 36

REFERRALS = Table(
    "referrals",
    key={"referral": "uuid"},
    values={
        "patient": "uuid",
        "source_type": "text",
        "channel": "text",
        "urgency": "text",
        "reasons": "jsonb",
        "payer": "text",
        "payer_name": "jsonb",
        "member_id": "jsonb",
        "requester": "jsonb",
        "external_id": "jsonb",
        "note": "jsonb",
        "status": "text",
        "duplicate_of": "uuid",
        "level_of_care": "text",
        "decline_reason": "text",
        "episode": "uuid",
        "received_at": "timestamptz",
        "decided_at": "timestamptz",
        "position": "bigint",
    },
    indexes=("position", "patient", "status"),
)


def referral_of(about: Envelope) -> UUID:
    """The referral whose stream an event stands on."""
    return UUID(about.stream[-UUID_LENGTH:])


class ReferralPipeline(Projection):
    """Every referral and how far it has come."""

    tables = (REFERRALS,)

    @on(ReferralReceived)
    def received(self, event: ReferralReceived, about: Envelope) -> Iterator[Change]:
        """Somebody asked."""
        yield REFERRALS.put(
            referral=event.referral,
            patient=event.patient,
            source_type=event.source_type.value,
            channel=event.channel,
            urgency=event.urgency.value,
            reasons=list(event.reasons),
            payer=event.payer,
            payer_name=event.payer_name,
            member_id=event.member_id,
            requester=event.requester,
            external_id=event.external_id,
            note=event.note,
            status=Status.RECEIVED.value,
            received_at=about.occurred_at,
            position=about.position,
        )

    @on(ReferralDuplicateDetected)
    def duplicate(self, event: ReferralDuplicateDetected, about: Envelope) -> Iterator[Change]:
        """It repeats another one."""
        yield REFERRALS.put(referral=referral_of(about), status=Status.DUPLICATE.value, duplicate_of=event.of)

    @on(ReferralTriaged)
    def triaged(self, event: ReferralTriaged, about: Envelope) -> Iterator[Change]:
        """It was judged."""
        yield REFERRALS.put(
            referral=referral_of(about),
            status=Status.TRIAGED.value,
            urgency=event.urgency.value,
            level_of_care=event.level_of_care.value,
        )

    @on(ReferralAccepted)
    def accepted(self, event: ReferralAccepted, about: Envelope) -> Iterator[Change]:
        """Yes."""
        yield REFERRALS.put(
            referral=referral_of(about), status=Status.ACCEPTED.value, decided_at=about.occurred_at
        )

    @on(ReferralDeclined)
    def declined(self, event: ReferralDeclined, about: Envelope) -> Iterator[Change]:
        """No."""
        yield REFERRALS.put(
            referral=referral_of(about),
            status=Status.DECLINED.value,
            decline_reason=event.reason.value,
            decided_at=about.occurred_at,
        )

    @on(PatientAdmitted)
    def admitted(self, event: PatientAdmitted, about: Envelope) -> Iterator[Change]:
        """It led to an episode."""
        yield REFERRALS.put(referral=event.referral, status=Status.ADMITTED.value, episode=event.episode)
