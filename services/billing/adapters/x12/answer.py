"""A remittance as the JSON that `caretrail ingest remittance --json` prints."""

from decimal import Decimal
from typing import Any

from services.billing.adapters.x12.money import show_amount
from services.billing.adapters.x12.remittance import RemittanceAdvice, RemittanceFile, RemittedClaim
from services.billing.domain.adjudication import ClaimVerdict, claim_verdict


def as_answer(file: RemittanceFile) -> list[dict[str, Any]]:
    """One object for each transaction set; amounts are decimal strings with two places, null where silent."""
    return [advice_answer(advice) for advice in file.advices]


def advice_answer(advice: RemittanceAdvice) -> dict[str, Any]:
    """Trace, total and claims of one transaction set."""
    return {
        "trace": advice.trace,
        "total": show_amount(advice.total),
        "claims": [_claim(claim) for claim in advice.claims],
    }


def _claim(claim: RemittedClaim) -> dict[str, Any]:
    """`denied`: the claim as a whole is. Adjustments are those of claim level, then those of the lines."""
    return {
        "claim": claim.claim,
        "status": claim.status,
        "charge": show_amount(claim.charge),
        "paid": show_amount(claim.paid),
        "patient_responsibility": _shown(claim.patient_responsibility),
        "denied": claim_verdict(claim) is ClaimVerdict.DENIED,
        "adjustments": [
            {"group": one.group, "reason": one.reason, "amount": show_amount(one.amount)}
            for one in claim.every_adjustment
        ],
    }


def _shown(amount: Decimal | None) -> str | None:
    return None if amount is None else show_amount(amount)
