"""Stopping on request: Ctrl-C and `caretrail down` end a command as its own end does."""

from __future__ import annotations

import asyncio
import signal

import typer


def stop_on_request(*, err: bool = False) -> None:
    """Cancel the current task at the first SIGINT or SIGTERM; later ones do not disturb the stopping.

    What is said of it goes to stdout, or with ``err`` to stderr.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def stop() -> None:
        if not task.cancelling():
            typer.echo("Stopping …", err=err)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
