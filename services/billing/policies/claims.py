"""From charge to money: weekly cut-offs, denials, appeals."""

from __future__ import annotations

from collections.abc import Iterator

from caretrail_contracts.billing import (
    ClaimDenied,
    ClaimPaid,
    ClaimsCutOff,
    ContractAgreed,
    DenialClosed,
    DenialOpened,
)
from caretrail_contracts.envelope import Envelope

from chassis.ids import derive
from chassis.policy import Cancel, Reaction, Timer
from services.billing.commands.claims import CutClaims
from services.billing.commands.denials import ExpireDenial, OpenDenial, SettleDenials
from services.billing.domain.instants import day_over, next_cutoff
from services.billing.policies.charges import subject_of
from services.billing.policies.registry import policies


@policies.on(ContractAgreed)
def when_terms_agreed(event: ContractAgreed, about: Envelope) -> Iterator[Reaction]:
    """The payer's charges are cut off every week from now on."""
    yield Timer(f"cutoff-{event.payer}", next_cutoff(about.recorded_at), CutClaims(payer=event.payer))


@policies.on(ClaimsCutOff)
def when_claims_cut_off(event: ClaimsCutOff, about: Envelope) -> Iterator[Reaction]:
    """And again."""
    yield Timer(f"cutoff-{event.payer}", event.next_at, CutClaims(payer=event.payer))


@policies.on(ClaimDenied)
def when_claim_denied(event: ClaimDenied, about: Envelope) -> Iterator[Reaction]:
    """Somebody must work it before its deadline."""
    yield OpenDenial(
        denial=derive("denial", about.id),
        claim=event.claim,
        patient=event.patient,
        carc=event.carc,
        amount=event.denied_amount,
        paid=event.paid,
        notice_on=event.notice_on,
    )


@policies.on(ClaimPaid)
def when_claim_paid(event: ClaimPaid, about: Envelope) -> Iterator[Reaction]:
    """What was denied before is paid now."""
    yield SettleDenials(claim=event.claim)


@policies.on(DenialOpened)
def when_denial_opened(event: DenialOpened, about: Envelope) -> Iterator[Reaction]:
    """Without an appeal its deadline ends it."""
    yield Timer(_deadline(event.denial), day_over(event.appeal_deadline), ExpireDenial(denial=event.denial))


@policies.on(DenialClosed)
def when_denial_closed(event: DenialClosed, about: Envelope) -> Iterator[Reaction]:
    """No deadline matters any more."""
    yield Cancel(_deadline(subject_of(about)))


def _deadline(denial: object) -> str:
    return f"denial-{denial}"
