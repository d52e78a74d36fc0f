"""Serving: one process of a service, from settings to a clean stop."""

from __future__ import annotations

import gc

import uvicorn

from chassis.application import application
from chassis.config import Settings
from chassis.runtime import Role
from chassis.service import Service
from chassis.telemetry import set_up_logs


def serve(service: Service, settings: Settings, role: Role = Role.ALL) -> None:
    """Run a service's process until it is told to stop (SIGTERM, Ctrl-C)."""
    set_up_logs(service.name, settings.log_level)
    # What was imported lives as long as the process: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        application(service, settings, role),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=60,
    )
