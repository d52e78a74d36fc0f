"""Serving: one process of a service, from settings to a clean stop, with its logs as JSON lines."""

from __future__ import annotations

import gc
import logging
import sys

import structlog
import uvicorn

from chassis.config import Settings
from chassis.runtime import Role
from chassis.service import Service
from operations.composed import composed


def serve(service: Service, settings: Settings, role: Role = Role.ALL) -> None:
    """Run a service's process until it is told to stop (SIGTERM, Ctrl-C)."""
    set_up_logs(service.name, settings.log_level)
    # What was imported lives as long as the process: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        composed(service, settings, role),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=60,
    )


def set_up_logs(service: str, level: str) -> None:
    """Send structlog's and the libraries' logs to stderr as JSON lines; libraries from WARNING on."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("chassis", "operations", "services"):
        logging.getLogger(name).setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)
