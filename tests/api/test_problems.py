"""A problem document names its occurrence, and nothing of what was asked."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from psycopg.errors import ProgramLimitExceeded
from starlette.requests import Request
from structlog.testing import capture_logs

from chassis.refusal import Refusal, Refused
from web.problems import SCHEMA, Problem, document, problem_of

COMMAND = UUID("5c83405b-7326-5535-adc1-de198e5aeaf9")


def told(error: Exception) -> tuple[dict[str, Any], list[Any]]:
    """The document of an error, and what was logged."""
    scope = {"type": "http", "method": "GET", "path": "/patients/Zyxwvut", "query_string": b"", "headers": []}
    with capture_logs() as logged:
        body = json.loads(bytes(document(Request(scope), problem_of(error)).body))
    Draft202012Validator(SCHEMA).validate(body)
    assert "Zyxwvut" not in f"{body}{logged}"
    return body, logged


def test_one_that_is_on_record_is_named_by_its_command_and_not_logged() -> None:
    body, logged = told(Refused("GroupFull", "The group is full.", None, COMMAND))
    assert (body["instance"], logged) == (COMMAND.urn, [])


@pytest.mark.parametrize(
    ("error", "level"),
    [(KeyError("Zyxwvut"), "error"), (Problem(404, "NotFound", "No."), "info"), (Refusal(), "info")],
)
def test_another_is_in_the_log_under_its_name(error: Exception, level: str) -> None:
    body, [line] = told(error)
    assert (line["instance"], line["log_level"]) == (body["instance"], level)
    assert told(error)[0]["instance"] != body["instance"]


def test_a_bug_is_in_the_log_by_its_class_and_place() -> None:
    """Also one that psycopg counts among those of a database that is away."""
    with pytest.raises(ProgramLimitExceeded) as raised:
        raise ProgramLimitExceeded("Zyxwvut is too large")
    body, [line] = told(raised.value)
    assert (body["type"], line["rule"]) == ("urn:caretrail:problem:Bug", "Bug")
    *_, place, kind = line["exception"].splitlines()
    assert kind == "psycopg.errors.ProgramLimitExceeded"
    assert place.endswith("in test_a_bug_is_in_the_log_by_its_class_and_place")


def test_one_that_is_to_be_sent_again_fills_no_log() -> None:
    _, logged = told(Problem(503, "Overloaded", "Send it again."))
    assert logged == []
