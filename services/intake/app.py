"""Intake, wired."""

from __future__ import annotations

from chassis.service import Service
from services.intake.api.routes import router
from services.intake.commands import handlers
from services.intake.policies import policies
from services.intake.projections.census import Census
from services.intake.projections.persons import Persons
from services.intake.projections.referrals import ReferralPipeline

service = Service(
    name="intake",
    handlers=handlers,
    policies=policies,
    projections=(ReferralPipeline(), Census(), Persons()),
    router=router,
)
