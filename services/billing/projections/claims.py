"""Claims to the cent: charged, paid, adjusted, left to the patient, open."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import (
    ClaimBatchCut,
    ClaimCorrectionDue,
    ClaimCreated,
    ClaimDenied,
    ClaimNeedsReview,
    ClaimPaid,
    ClaimReversed,
    ClaimSubmitted,
    ExchangeFailed,
    Remitted,
)
from caretrail_contracts.envelope import Envelope

from chassis.projection import Change, Projection, Table, on
from services.billing.domain.claim import ZERO, ClaimStatus, patient_share, taken_off

CLAIMS = Table(
    "claims",
    key={"claim": "uuid"},
    values={
        "number": "text",
        "patient": "uuid",
        "episode": "uuid",
        "payer": "text",
        "status": "text",
        "charge": "numeric(12,2)",
        "denied": "numeric(12,2)",
        "lines": "jsonb",
        "diagnoses": "jsonb",
        "authorization_number": "text",
        "frequency": "text",
        "first_service_on": "date",
        "batch": "uuid",
        "interchange": "integer",
        "submitted_at": "timestamptz",
        "decided_at": "timestamptz",
        "correction_due": "boolean",
        "position": "bigint",
    },
    counters={
        "paid": "numeric(12,2)",
        "adjustments": "numeric(12,2)",
        "patient_responsibility": "numeric(12,2)",
    },
    indexes=("number", "patient", "payer, status", "position"),
)
BATCHES = Table(
    "batches",
    key={"batch": "uuid"},
    values={"payer": "text", "interchange": "integer", "claims": "jsonb", "position": "bigint"},
    indexes=("position",),
)
FAILURES = Table(
    "exchange_failures",
    key={"event": "uuid"},
    values={
        "kind": "text",
        "about": "uuid",
        "patient": "uuid",
        "rule": "text",
        "place": "text",
        "failed_at": "timestamptz",
        "position": "bigint",
    },
    indexes=("position",),
)


class ClaimBalances(Projection):
    """Each claim with its amounts and how far it is; its age is counted from its first day of service.

    ``status`` is ``created`` until the payer decided: that it was submitted ``submitted_at`` tells, which may
    be learned later.
    """

    version = 2
    tables = (CLAIMS,)

    @on(ClaimCreated)
    def created(self, event: ClaimCreated, about: Envelope) -> Iterator[Change]:
        """Charges on a claim."""
        yield CLAIMS.put(
            claim=event.claim,
            number=event.number,
            patient=event.patient,
            episode=event.episode,
            payer=event.payer,
            status=ClaimStatus.CREATED.value,
            charge=event.amount,
            denied=ZERO,
            lines=event.lines,
            diagnoses=event.diagnoses,
            authorization_number=event.authorization_number,
            frequency=event.frequency,
            first_service_on=min(line.service_date for line in event.lines),
            position=about.position,
        )

    @on(ClaimSubmitted)
    def submitted(self, event: ClaimSubmitted, about: Envelope) -> Iterator[Change]:
        """At the payer's."""
        yield CLAIMS.put(
            claim=event.claim,
            batch=event.batch,
            interchange=event.interchange,
            submitted_at=about.occurred_at,
        )

    @on(ClaimPaid)
    def paid(self, event: ClaimPaid, about: Envelope) -> Iterator[Change]:
        """Adjudicated, nothing denied."""
        yield from _posted(event, ClaimStatus.PAID, about)

    @on(ClaimDenied)
    def denied(self, event: ClaimDenied, about: Envelope) -> Iterator[Change]:
        """Denied, wholly or in part."""
        yield from _posted(event, ClaimStatus.DENIED if event.whole else ClaimStatus.PARTLY_DENIED, about)
        yield CLAIMS.put(claim=event.claim, denied=event.denied_amount)

    @on(ClaimReversed)
    def reversed(self, event: ClaimReversed, about: Envelope) -> Iterator[Change]:
        """Taken back."""
        yield from _posted(event, ClaimStatus.REVERSED, about)

    @on(ClaimNeedsReview)
    def needs_review(self, event: ClaimNeedsReview, about: Envelope) -> Iterator[Change]:
        """Posted as it stands; a person judges it."""
        yield from _posted(event, ClaimStatus.REVIEW, about)

    @on(ClaimCorrectionDue)
    def correction_due(self, event: ClaimCorrectionDue, about: Envelope) -> Iterator[Change]:
        """It says what no longer stands."""
        yield CLAIMS.put(claim=event.claim, correction_due=True)


def _posted(event: Remitted, status: ClaimStatus, about: Envelope) -> Iterator[Change]:
    yield CLAIMS.add(
        claim=event.claim,
        paid=event.paid,
        adjustments=taken_off(event),
        patient_responsibility=patient_share(event),
    )
    yield CLAIMS.put(claim=event.claim, status=status.value, denied=ZERO, decided_at=about.occurred_at)


class ClaimBatches(Projection):
    """Interchanges with their claims, and what failed between us and payers."""

    version = 1
    tables = (BATCHES, FAILURES)

    @on(ClaimBatchCut)
    def cut(self, event: ClaimBatchCut, about: Envelope) -> Iterator[Change]:
        """A batch."""
        yield BATCHES.put(
            batch=event.batch,
            payer=event.payer,
            interchange=event.interchange,
            claims=[str(claim) for claim in event.claims],
            position=about.position,
        )

    @on(ExchangeFailed)
    def failed(self, event: ExchangeFailed, about: Envelope) -> Iterator[Change]:
        """A failure that staff must see."""
        yield FAILURES.put(
            event=about.id,
            kind=event.kind,
            about=event.about,
            patient=event.patient,
            rule=event.rule,
            place=event.at,
            failed_at=about.occurred_at,
            position=about.position,
        )
