"""Composed: a service's application with what operators need in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from chassis.config import Settings
from chassis.relay import Relay
from chassis.runtime import Role
from chassis.service import Service
from operations import api, bulk, consumers_api, internal, parked_api
from operations.desk import Desk
from operations.keys import Keys
from operations.measuring import Measures
from operations.members import leave
from operations.patience import Patience
from operations.pressure import Bounds, Pressure
from operations.progress import Progress
from operations.restoring import recover, tell
from operations.standing import Standing
from operations.starting import first
from operations.succession import Succession
from web.application import application
from web.problems import RESPONSES


def composed(
    service: Service, settings: Settings, role: Role = Role.ALL, end: Callable[[], None] = lambda: None
) -> FastAPI:
    """The application of a service in a role, with its operations.

    ``end`` is called where the process must begin anew, since its database is another: it writes no more.
    """
    app = application(service, settings, role)
    serving = app.router.lifespan_context

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await recover(service, settings)
        app.state.seen = await first(service, settings)
        async with AsyncExitStack() as after, serving(app):
            # Its place among those who fold is given up when its feeds have ended, not before.
            after.push_async_callback(leave, app.state.ground)
            for database in app.state.runtime.databases:
                await after.enter_async_context(Patience(database))
            await tell(app.state.ground)
            app.state.progress = Progress(app.state.runtime)
            app.state.pressure = Pressure(app.state.ground)
            await app.state.pressure.look()
            app.state.measures = Measures(app.state.runtime, app.state.pressure)
            resumes = role.includes(Role.CONSUMERS)
            desk = Desk(app.state.ground, app.state.runtime.ownership, resumes=resumes)
            standing, succession = Standing(app.state.ground, end), Succession(app.state.ground, end)
            for part in app.state.runtime.parts:
                if isinstance(part, Relay):
                    part.acknowledged = succession.sent
            keys = Keys(app.state.runtime.databases[1])
            app.state.runtime.parts += [standing, succession, desk, keys]
            async with standing, succession, keys, desk as app.state.desk:
                yield

    app.router.lifespan_context = life
    # Innermost: who has no credential learns nothing of how much waits.
    app.user_middleware.append(Middleware(Bounds))
    for part in (internal, api, parked_api, consumers_api):
        app.include_router(part.router, responses=RESPONSES)
    if service.router and role.includes(Role.API) and (doors := bulk.doors(service.router)):
        app.state.doors = doors
        app.include_router(bulk.router)
    return app
