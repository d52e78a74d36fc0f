"""All routes of clinical."""

from __future__ import annotations

from fastapi import APIRouter

from services.clinical.api import diagnoses, measures, notes, risk

router = APIRouter()
for part in (measures, risk, diagnoses, notes):
    router.include_router(part.router)
