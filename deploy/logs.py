"""Logs of a process: JSON lines on stderr, ours and the libraries'."""

from __future__ import annotations

import logging
import sys
from asyncio import CancelledError
from math import inf
from time import monotonic
from typing import Any

import structlog

from web.traces import trace_of

EACH_S = 10.0
"""So often the same is said of what is away. While a server is, each try says so."""

REPEATING = ("aiokafka", "psycopg.pool", "chassis.part")
"""Loggers of what tries again and again: Kafka's client, the pools of connections, parts of the process."""


class Seldom(logging.Filter):
    """Lets what is tried again and again be told now and then; the next time tells how much was left out."""

    def __init__(self) -> None:
        super().__init__()
        self._filters = [logging.Filter(name) for name in REPEATING]
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is let through; a library's that differ in their values alone are the same."""
        if not any(each.filter(record) for each in self._filters):
            return True
        said: Any = record.msg  # a text with places for values, or the event of ours
        about, now = (record.name, str(_timeless(said) if isinstance(said, dict) else said)), monotonic()
        since, left_out = self._said.get(about, (-inf, 0))
        if now - since < EACH_S:
            self._said[about] = since, left_out + 1
            return False
        self._said[about] = now, 0
        if left_out and isinstance(said, dict):
            record.msg = said | {"left_out": left_out}
        elif left_out:
            record.msg = f"{said} ({left_out} like it left out)"
        return True


def _timeless(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "timestamp"}


def meant(record: logging.LogRecord) -> bool:
    """Whether a record tells of anything: not of a request that was cut since the process ends."""
    return not (record.exc_info and isinstance(record.exc_info[1], CancelledError))


def without_values(logger: Any, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """What asyncio tells of a task or callback, without what these hold: it could be anything."""
    if event.get("logger") == "asyncio":
        event["event"] = str(event["event"]).splitlines()[0].partition("(")[0]
    return event


def set_up_logs(service: str, level: str) -> None:
    """Send structlog's and the libraries' logs to stderr as JSON lines; libraries' from WARNING on.

    Of an exception its trace is told, never its message, which could hold a value.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(lambda found: trace_of(found[1])),
        without_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    handler.addFilter(meant)
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
