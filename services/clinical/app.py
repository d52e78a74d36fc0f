"""Clinical, wired."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.service import Service
from services.clinical.api.routes import router
from services.clinical.commands import diagnoses, measures, notes, risk
from services.clinical.commands.registry import handlers
from services.clinical.policies import policies
from services.clinical.projections import Diagnoses, OutcomesTrajectory, RiskBoard, SignedNotes

REGISTERING = (diagnoses, measures, notes, risk)
"""Modules that register their handlers when they are imported."""


class ClinicalOptions(BaseSettings):
    """What clinical can be told by ``CARETRAIL_…``: nothing yet; its rules are the instruments'."""

    model_config = SettingsConfigDict(env_prefix="CARETRAIL_", env_file=".env", extra="ignore", frozen=True)


service = Service(
    name="clinical",
    handlers=handlers,
    policies=policies,
    projections=(OutcomesTrajectory(), RiskBoard(), Diagnoses(), SignedNotes()),
    router=router,
    options=ClinicalOptions(),
)
