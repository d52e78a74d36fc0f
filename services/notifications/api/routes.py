"""All routes of notifications."""

from __future__ import annotations

from fastapi import APIRouter

from services.notifications.api import patients, tasks

router = APIRouter()
router.include_router(tasks.router)
router.include_router(patients.router)
