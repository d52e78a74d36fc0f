"""Billing, wired."""

from __future__ import annotations

from caretrail_contracts.billing import AppealFiled, AuthorizationRequested, ClaimBatchCut

from chassis.service import Effect, Service, Watch
from services.billing.adapters.claim_files import CLAIM_FILES, write_batch
from services.billing.adapters.inbox import look
from services.billing.adapters.requests import file_appeal, request_authorization
from services.billing.api.routes import router
from services.billing.commands import answers, charges, claims, contracts, denials, evidence, remittances
from services.billing.commands.registry import handlers
from services.billing.options import Options
from services.billing.policies import charges as charge_policies
from services.billing.policies import claims as claim_policies
from services.billing.policies.registry import policies
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

service = Service(
    name="billing",
    handlers=handlers,
    policies=policies,
    projections=PROJECTIONS,
    router=router,
    effects=(
        Effect("authorization-requests", AuthorizationRequested, request_authorization),
        Effect(CLAIM_FILES, ClaimBatchCut, write_batch),
        Effect("appeals", AppealFiled, file_appeal),
    ),
    watches=(Watch("payer-answers", 0.025, look),),
    options=Options(),
)
