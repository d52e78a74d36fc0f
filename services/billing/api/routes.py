"""All routes of billing."""

from __future__ import annotations

from fastapi import APIRouter

from services.billing.api import authorizations, charges, claims, contracts, denials, remittances, totals

router = APIRouter()
for room in (contracts, authorizations, charges, claims, remittances, denials, totals):
    router.include_router(room.router)
