"""Every route of intake."""

from __future__ import annotations

from caretrail_contracts.problem import RESPONSES
from fastapi import APIRouter

from services.intake.api import episodes, fhir, patients, referrals

router = APIRouter(responses=RESPONSES)
router.include_router(fhir.router)
router.include_router(referrals.router)
router.include_router(episodes.router)
router.include_router(patients.router)
