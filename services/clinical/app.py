"""Clinical, wired."""

from __future__ import annotations

from chassis.service import Service
from services.clinical.api.routes import router
from services.clinical.commands import diagnoses, measures, notes, risk
from services.clinical.commands.registry import handlers
from services.clinical.policies import policies
from services.clinical.projections import Diagnoses, OutcomesTrajectory, RiskBoard, SignedNotes

REGISTERING = (diagnoses, measures, notes, risk)
"""Modules that register their handlers when they are imported."""


service = Service(
    name="clinical",
    handlers=handlers,
    policies=policies,
    projections=(OutcomesTrajectory(), RiskBoard(), Diagnoses(), SignedNotes()),
    router=router,
)
