"""A command that runs on ends as its own end does, whoever asks it to."""

import asyncio
import os
import signal

import pytest

from cli.stopping import stop_on_request


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
async def test_a_command_that_is_asked_to_stop_is_cancelled_and_says_so(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    async def command() -> None:
        stop_on_request()
        os.kill(os.getpid(), number)
        await asyncio.sleep(5)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(command())
    asyncio.get_running_loop().remove_signal_handler(number)
    assert capsys.readouterr().out == "Stopping …\n"
