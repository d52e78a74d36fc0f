"""Stopping on request: Ctrl-C, `caretrail down` and a closed terminal end a command as its own end does."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import typer


def stop_on_request(*, err: bool = False) -> None:
    """Cancel the current task at the first SIGINT, SIGTERM or SIGHUP; later ones do not disturb the stopping.

    What is said of it goes to stdout, or with ``err`` to stderr.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def stop() -> None:
        if not task.cancelling():
            task.cancel()
            with suppress(OSError):  # the terminal is gone
                typer.echo("Stopping …", err=err)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
