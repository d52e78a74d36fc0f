"""All routes of scheduling."""

from __future__ import annotations

from fastapi import APIRouter

from services.scheduling.api import attendance, doses, lists, offers, sessions

router = APIRouter()
router.include_router(offers.router)
router.include_router(sessions.router)
router.include_router(attendance.router)
router.include_router(doses.router)
router.include_router(lists.router)
