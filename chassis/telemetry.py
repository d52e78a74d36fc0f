"""Logs as JSON lines without personal data, and the metrics that every service shows."""

from __future__ import annotations

import logging
import sys

import structlog
from prometheus_client import Counter, Gauge

RELAY_POSITION = Gauge("caretrail_relay_position", "Position up to which events were sent", ["topic"])
CONSUMED_POSITION = Gauge(
    "caretrail_consumed_position", "Position up to which a source was applied", ["topic", "partition"]
)
EVENTS_APPLIED = Counter("caretrail_events_applied", "Events that went through the handlers", ["topic"])
RECORDS_PARKED = Counter("caretrail_records_parked", "Records that a handler could not apply", ["handler"])
TIMERS_FIRED = Counter("caretrail_timers_fired", "Timers that came due and were carried out")
COMMANDS = Counter("caretrail_commands", "Commands carried out over HTTP", ["outcome"])


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
    for name in ("chassis", "services"):
        logging.getLogger(name).setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)
