"""Logs stay readable while Kafka is away: its client's lines come seldom, everybody else's always."""

import logging

import pytest

from deploy import logs
from deploy.logs import Seldom


def line(logger: str, message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, "", 0, message, values, None)


def test_the_same_line_of_kafkas_client_comes_once_and_then_says_how_many_there_were(
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


@pytest.mark.parametrize("logger", ["chassis.part", "uvicorn.error", "asyncio", "aiokafkaesque"])
def test_lines_of_others_always_come(logger: str) -> None:
    seldom = Seldom()
    assert all(seldom.filter(line(logger, "interrupted")) for _ in range(3))
