"""`caretrail tail`: decoded lines, sealed values, broken records, opened values."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from caretrail_contracts.catalogue import all_events
from caretrail_contracts.cloudevents import to_headers
from caretrail_contracts.examples import envelope_of, example
from caretrail_contracts.intake import PatientAdmitted, PersonRegistered

from cli import tail
from cli.decoded import decode
from cli.fields import is_erased
from cli.problem import Problem
from tests.cli.conftest import Run
from tests.cli.double import Asked, serving

TOPIC = "caretrail.intake.events"


@dataclass
class Message:
    """A Kafka message of a test."""

    headers: Any
    value: bytes | None
    topic: str = TOPIC
    partition: int = 3
    offset: int = 17


def message(event: Any, **headers: bytes) -> Message:
    """The example of an event as a message, some of its headers replaced."""
    found = dict(to_headers(envelope_of(event), 7)) | {f"ce_{name}": value for name, value in headers.items()}
    return Message(list(found.items()), example(event).to_bytes())


@pytest.mark.parametrize("event", all_events(), ids=lambda event: event.__name__)
def test_every_event_is_one_line_without_ciphertext(event: Any) -> None:
    text = tail.line(decode(message(event))).plain
    assert event.__name__ in text
    assert "\n" not in text
    assert '"ct"' not in json.dumps(decode(message(event)).as_json(), default=str)


def test_a_line_tells_time_event_stream_patient_and_fields() -> None:
    text = tail.line(decode(message(PatientAdmitted))).plain
    assert text.startswith("03-09 14:00:00  PatientAdmitted")
    assert "5c83405b" in text
    assert "track adult-evening" in text
    assert "member_id ‹sealed›" in text


def test_the_json_holds_envelope_and_event_with_sealed_values_hidden() -> None:
    found = json.loads(json.dumps(decode(message(PersonRegistered)).as_json(), default=str))
    assert found["type"] == "caretrail.intake.PersonRegistered"
    assert (found["actorid"], found["actorrole"]) == ("staff-7", "coordinator")
    assert (found["service"], found["partition"], found["offset"]) == ("intake", 3, 17)
    assert found["recordedat"].endswith("Z")
    assert found["event"]["name"] == "‹sealed›"
    assert found["event"]["time_zone"] == "America/New_York"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (message(PatientAdmitted, time=b"yesterday"), "header ce_time: expected an RFC 3339 time"),
        (
            message(PatientAdmitted, type=b"caretrail.intake.MoonPhaseNoted", dataschema=b""),
            "type caretrail.intake.MoonPhaseNoted is not in the contracts",
        ),
        (Message(message(PatientAdmitted).headers, b'{"episode": "Ana"}'), "body at /episode"),
        (Message(message(PatientAdmitted).headers, b"\xff"), "body at (whole body)"),
        (Message(message(PatientAdmitted).headers, None), "body at (whole body)"),
        (Message([], b"{}"), "header ce_specversion"),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_place_and_no_value(broken: Message, said: str) -> None:
    found = decode(broken)
    text = tail.line(found).plain
    assert text.startswith("unreadable ")
    assert said in text
    assert "partition 3 offset 17" in text
    assert "Ana" not in text
    assert "yesterday" not in text
    assert said in found.as_json()["problem"]


def opened(answer: Any, status: int = 200) -> tuple[dict[str, Any], list[Asked]]:
    """A person's event after audit was asked to open it, and what audit was asked."""

    async def ask(url: str) -> dict[str, Any]:
        found = decode(message(PersonRegistered))
        async with httpx.AsyncClient(base_url=url, headers={"Caretrail-Purpose": "TREAT"}) as audit:
            await tail.unseal(found, audit)
        return found.as_json()["event"]  # type: ignore[no-any-return]

    with serving(lambda asked: (status, answer(asked))) as audit:
        return asyncio.run(ask(audit.url)), audit.asked


def test_opened_values_come_from_audit_with_the_kind_of_each() -> None:
    def answer(asked: Asked) -> Any:
        kinds = [each["kind"] for each in asked.json()["values"]]
        return {"values": [None if kind == "BirthDate" else kind for kind in kinds]}

    event, (asked,) = opened(answer)
    assert (asked.method, asked.path, asked.headers["caretrail-purpose"]) == ("POST", "/open", "TREAT")
    assert asked.json()["patient"] == event["patient"]
    assert asked.json()["resource"] == "intake.events"
    assert asked.json()["values"][0].keys() == {"kind", "kid", "nonce", "ct"}
    assert (event["name"], event["birth_date"]) == ("PersonName", "‹erased›")


def test_values_that_do_not_open_are_shown_so_and_the_tail_goes_on() -> None:
    """Audit refuses altered values, and those whose key was lost."""
    event, _ = opened(lambda asked: {"title": "Tampered", "status": 422}, status=422)
    assert (event["name"], event["birth_date"]) == ("‹unreadable›", "‹unreadable›")
    assert is_erased(event["name"])


def test_a_refusal_to_open_ends_the_tail_with_its_reason() -> None:
    with pytest.raises(Problem, match="Not allowed"):
        opened(lambda asked: {"title": "Not allowed", "status": 403}, status=403)


def test_an_answer_of_another_length_is_not_taken() -> None:
    with pytest.raises(Problem, match="another number of values"):
        opened(lambda asked: {"values": []})


def test_opening_needs_an_actor_and_a_purpose(run: Run) -> None:
    answer = run("tail", "intake", "--open", user=False)
    assert answer.exit_code == 2
    assert "CARETRAIL_ACTOR" in answer.stderr


def test_without_a_stack_it_says_how_to_start_one(run: Run) -> None:
    answer = run("tail", "intake")
    assert answer.exit_code == 1
    assert "no stack is running under" in " ".join(answer.stderr.split())
    assert "`caretrail up`" in " ".join(answer.stderr.split())


def test_kafka_that_does_not_answer_is_a_problem(run: Run, stack: Any) -> None:
    stack(kafka="127.0.0.1:1")
    answer = run("tail", "intake")
    assert answer.exit_code == 1
    assert "Kafka does not answer at 127.0.0.1:1" in answer.stderr
