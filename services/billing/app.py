"""Billing, wired: its settings and its parts."""

from __future__ import annotations

from services.billing.commands import answers, charges, claims, contracts, denials, evidence, remittances
from services.billing.policies import charges as charge_policies
from services.billing.policies import claims as claim_policies
from services.billing.projections.authorizations import AuthBurnDown
from services.billing.projections.charges import ChargeHoldQueue
from services.billing.projections.claims import ClaimBalances, ClaimBatches
from services.billing.projections.denials import DenialWorklist
from services.billing.projections.evidence import Evidence
from services.billing.projections.remittances import RemittanceReview, Remittances
from services.billing.projections.subscribers import PayerContracts, Subscribers

REGISTERING = (
    answers,
    charges,
    claims,
    contracts,
    denials,
    evidence,
    remittances,
    charge_policies,
    claim_policies,
)
"""Modules that register their handlers and policies when they are imported."""

PROJECTIONS = (
    Evidence(),
    Subscribers(),
    PayerContracts(),
    AuthBurnDown(),
    ChargeHoldQueue(),
    ClaimBalances(),
    ClaimBatches(),
    Remittances(),
    RemittanceReview(),
    DenialWorklist(),
)
