"""All routes of notifications."""

from __future__ import annotations

from caretrail_contracts.problem import RESPONSES
from fastapi import APIRouter

from services.notifications.api import patients, tasks

router = APIRouter(responses=RESPONSES)
router.include_router(tasks.router)
router.include_router(patients.router)
