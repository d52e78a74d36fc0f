"""All routes of clinical."""

from __future__ import annotations

from caretrail_contracts.problem import RESPONSES
from fastapi import APIRouter

from services.clinical.api import diagnoses, measures, notes, risk

router = APIRouter(responses=RESPONSES)
for part in (measures, risk, diagnoses, notes):
    router.include_router(part.router)
