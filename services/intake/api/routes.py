"""Every route of intake."""

from __future__ import annotations

from fastapi import APIRouter

from services.intake.api import episodes, fhir, patients, referrals

router = APIRouter()
router.include_router(fhir.router)
router.include_router(referrals.router)
router.include_router(episodes.router)
router.include_router(patients.router)
