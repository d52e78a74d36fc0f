"""Denials by what to do and until when."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import AppealDecided, AppealFiled, DenialClosed, DenialOpened
from caretrail_contracts.envelope import Envelope

from chassis.projection import Change, Projection, Table, on
from services.billing.policies.charges import subject_of

DENIALS = Table(
    "denials",
    key={"denial": "uuid"},
    values={
        "claim": "uuid",
        "patient": "uuid",
        "denial_class": "text",
        "carc": "jsonb",
        "amount": "numeric(12,2)",
        "regime": "text",
        "appeal_deadline": "date",
        "work_by": "date",
        "state": "text",
        "level": "integer",
        "outcome": "text",
        "recovered": "numeric(12,2)",
        "position": "bigint",
    },
    indexes=("claim", "state", "position"),
)


class DenialWorklist(Projection):
    """Open, appealed, upheld (the next level is open), closed."""

    version = 1
    tables = (DENIALS,)

    @on(DenialOpened)
    def opened(self, event: DenialOpened, about: Envelope) -> Iterator[Change]:
        """To be worked."""
        yield DENIALS.put(
            denial=event.denial,
            claim=event.claim,
            patient=event.patient,
            denial_class=event.denial_class,
            carc=event.carc,
            amount=event.amount,
            regime=event.regime,
            appeal_deadline=event.appeal_deadline,
            work_by=event.work_by,
            state="open",
            level=0,
            position=about.position,
        )

    @on(AppealFiled)
    def filed(self, event: AppealFiled, about: Envelope) -> Iterator[Change]:
        """The payer has it."""
        yield DENIALS.put(denial=event.denial, state="appealed", level=event.level)

    @on(AppealDecided)
    def decided(self, event: AppealDecided, about: Envelope) -> Iterator[Change]:
        """The payer answered."""
        recovered = event.recovered
        yield DENIALS.put(denial=subject_of(about), state=event.outcome, recovered=recovered)

    @on(DenialClosed)
    def closed(self, event: DenialClosed, about: Envelope) -> Iterator[Change]:
        """Done."""
        yield DENIALS.put(denial=subject_of(about), state="closed", outcome=event.outcome)
