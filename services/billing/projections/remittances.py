"""Remittances, and their claims that wait for a person."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import RemittanceClaimParked, RemittancePosted, RemittanceReceived
from caretrail_contracts.envelope import Envelope

from chassis.projection import Change, Projection, Table, on
from services.billing.policies.charges import subject_of

REMITTANCES = Table(
    "remittances",
    key={"remittance": "uuid"},
    values={
        "payer": "text",
        "trace": "text",
        "total": "numeric(12,2)",
        "claims": "integer",
        "posted": "integer",
        "parked": "integer",
        "paid_on": "date",
        "received_at": "timestamptz",
        "file_digest": "text",
        "position": "bigint",
    },
    indexes=("position", "file_digest"),
)
PARKED = Table(
    "parked_claims",
    key={"remittance": "uuid", "index": "integer"},
    values={
        "rule": "text",
        "status": "text",
        "charge": "numeric(12,2)",
        "paid": "numeric(12,2)",
        "document": "jsonb",
        "position": "bigint",
    },
    indexes=("position",),
)


class Remittances(Projection):
    """Payments with what became of their claims."""

    version = 1
    tables = (REMITTANCES,)

    @on(RemittanceReceived)
    def received(self, event: RemittanceReceived, about: Envelope) -> Iterator[Change]:
        """Read, and it balances."""
        yield REMITTANCES.put(
            remittance=event.remittance,
            payer=event.payer,
            trace=event.trace,
            total=event.total,
            claims=event.claims,
            paid_on=event.paid_on,
            received_at=about.occurred_at,
            file_digest=event.file_digest,
            position=about.position,
        )

    @on(RemittancePosted)
    def posted(self, event: RemittancePosted, about: Envelope) -> Iterator[Change]:
        """Every claim of it was."""
        yield REMITTANCES.put(remittance=subject_of(about), posted=event.posted, parked=event.parked)


class RemittanceReview(Projection):
    """Claims of remittances that were not posted."""

    version = 1
    tables = (PARKED,)

    @on(RemittanceClaimParked)
    def parked(self, event: RemittanceClaimParked, about: Envelope) -> Iterator[Change]:
        """A person judges it."""
        yield PARKED.put(
            remittance=event.remittance,
            index=event.index,
            rule=event.rule,
            status=event.status,
            charge=event.charge,
            paid=event.paid,
            document=event.document,
            position=about.position,
        )
