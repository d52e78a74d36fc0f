"""Who we are to payers: the submitter of files and the billing provider of claims."""

from __future__ import annotations

from dataclasses import dataclass

from services.billing.adapters.x12.claim import BillingProvider, Submitter


@dataclass(frozen=True, slots=True)
class Identity:
    """Submitter and billing provider, as each 837P names them."""

    submitter: Submitter
    billing: BillingProvider
