"""Logs of a process: JSON lines on stderr, ours and the libraries'."""

from __future__ import annotations

import logging
import sys
from math import inf
from time import monotonic

import structlog

EACH_S = 10.0
"""So often Kafka's client may say the same. While a broker is away, it says so with each try."""


class Seldom(logging.Filter):
    """Lets what Kafka's client says through once in a while; the next time tells how much was left out."""

    def __init__(self) -> None:
        super().__init__("aiokafka")
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is let through; records that differ in their values alone are the same."""
        if not super().filter(record):
            return True
        about, now = (record.name, str(record.msg)), monotonic()
        since, left_out = self._said.get(about, (-inf, 0))
        if now - since < EACH_S:
            self._said[about] = since, left_out + 1
            return False
        self._said[about] = now, 0
        if left_out:
            record.msg = f"{record.msg} ({left_out} like it left out)"
        return True


def set_up_logs(service: str, level: str) -> None:
    """Send structlog's and the libraries' logs to stderr as JSON lines; libraries' from WARNING on."""
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
    handler.addFilter(Seldom())
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
    for name in ("chassis", "operations", "services", "web"):
        logging.getLogger(name).setLevel(level)
    structlog.contextvars.bind_contextvars(service=service)
