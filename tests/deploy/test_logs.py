"""Logs stay readable while a server is away, and hold no values: of errors they tell classes and places."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest

from deploy import logs
from deploy.logs import Seldom, meant
from tests.running import ROOT

FAILING = """
import asyncio, logging, structlog
from deploy.logs import set_up_logs

def fails():
    try:
        raise KeyError("Zyxwvut")
    except KeyError as error:
        raise ExceptionGroup("Zyxwvut", [LookupError("Zyxwvut")]) from error

async def left():
    async def task():
        fails()
    begun = asyncio.create_task(task())
    asyncio.get_running_loop().call_soon(fails_with, "Zyxwvut")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del begun

def fails_with(name):
    fails()

set_up_logs("intake", "INFO")
asyncio.run(left())
try:
    fails()
except Exception:
    structlog.get_logger("web").exception("ours")
    logging.getLogger("uvicorn.error").error("theirs", exc_info=True)
"""


def line(logger: str, message: object, *values: object) -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, "", 0, message, values, None)


def test_of_errors_classes_and_places_are_told_and_no_message() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, text=True, cwd=ROOT, check=True
    )
    told = {
        each["event"]: each["exception"].splitlines() for each in map(json.loads, done.stderr.splitlines())
    }
    assert told.keys() == {"ours", "theirs", "Exception in callback fails_with", NEVER}
    assert "Zyxwvut" not in done.stderr
    for trace in told.values():
        assert trace[-1] == "builtins.ExceptionGroup"
        assert {"builtins.KeyError", "builtins.LookupError"} < set(trace)
        assert '  File "<string>", line 9, in fails' in trace


NEVER = "Task exception was never retrieved"


def test_the_same_line_of_what_tries_again_comes_once_and_then_says_how_many_there_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    seldom, away = Seldom(), "Unable to connect to node %s"
    assert [seldom.filter(line("aiokafka.client", away, node)) for node in range(4)] == [True, *[False] * 3]
    assert seldom.filter(line("aiokafka.client", "Unable to update metadata"))
    now += logs.EACH_S
    again = line("aiokafka.client", away, 1)
    assert seldom.filter(again)
    assert again.getMessage() == "Unable to connect to node 1 (3 like it left out)"


def test_the_same_interruption_of_a_part_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(logs, "monotonic", lambda: now)
    seldom = Seldom()

    def interrupted(part: str, second: int) -> logging.LogRecord:
        return line("chassis.part", {"event": "interrupted", "part": part, "timestamp": f"12:00:0{second}"})

    assert [seldom.filter(interrupted("relay", second)) for second in range(4)] == [True, *[False] * 3]
    assert seldom.filter(interrupted("timers", 4))
    now += logs.EACH_S
    again = interrupted("relay", 5)
    assert seldom.filter(again)
    assert again.msg == {
        "event": "interrupted", "part": "relay", "timestamp": "12:00:05", "left_out": 3
    }  # fmt: skip


@pytest.mark.parametrize("logger", ["operations.patience", "uvicorn.error", "asyncio", "aiokafkaesque"])
def test_lines_of_others_always_come(logger: str) -> None:
    seldom = Seldom()
    assert all(seldom.filter(line(logger, "interrupted")) for _ in range(3))


def test_who_was_cut_since_the_process_ends_is_no_error() -> None:
    record = line("uvicorn.error", "Exception in ASGI application")
    assert meant(record)
    record.exc_info = (asyncio.CancelledError, asyncio.CancelledError(), None)
    assert not meant(record)
