"""Composed: a service's application with what operators need in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from chassis.application import application
from chassis.config import Settings
from chassis.runtime import Role
from chassis.service import Service
from operations import api, internal
from operations.desk import Desk
from operations.restoring import recover, tell
from operations.starting import first


def composed(service: Service, settings: Settings, role: Role = Role.ALL) -> FastAPI:
    """The application of a service in a role, with its operations."""
    app = application(service, settings, role)
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await recover(service, settings)
        await first(service, settings)
        async with serving(app):
            await tell(app.state.ground)
            database, resumes = app.state.ground.database, role.includes(Role.CONSUMERS)
            async with Desk(service, settings, database, resumes=resumes) as app.state.desk:
                yield

    app.router.lifespan_context = life
    app.include_router(internal.router)
    app.include_router(api.router)
    return app
