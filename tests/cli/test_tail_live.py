"""`caretrail tail` on a real topic: from the beginning, in order, with what cannot be read among it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from caretrail_contracts.cloudevents import to_headers
from caretrail_contracts.envelope import PARTITIONS
from caretrail_contracts.event import Event
from caretrail_contracts.examples import envelope_of, example
from caretrail_contracts.intake import PatientAdmitted, PersonRegistered, ReferralReceived

from chassis import kafka
from deploy.topics import make_topics
from tests.cli.conftest import Run
from tests.cli.double import serving

EVENTS: tuple[type[Event], ...] = (PersonRegistered, ReferralReceived, PatientAdmitted)

pytestmark = pytest.mark.servers


@pytest.fixture
def topic(servers: dict[str, str], topic_prefix: str) -> str:
    """A topic with three events of one patient and a record that is not ours."""
    name = f"{topic_prefix}.intake.events"

    async def fill() -> None:
        await asyncio.to_thread(make_topics, servers["kafka"], ["intake"], topic_prefix)
        producer = await kafka.producer(servers["kafka"])
        for event in EVENTS:
            envelope = envelope_of(event)
            headers, body = to_headers(envelope, None), example(event).to_bytes()
            await producer.send_and_wait(
                name, body, key=envelope.key.encode(), partition=envelope.partition, headers=headers
            )
        await producer.send_and_wait(name, b"hello", partition=(envelope.partition + 1) % PARTITIONS)
        await producer.stop()

    asyncio.run(fill())
    return name


def test_a_topic_is_shown_from_its_beginning_in_order(
    run: Run, stack: Any, servers: dict[str, str], topic: str
) -> None:
    stack(kafka=servers["kafka"])
    answer = run("tail", topic, "--from-beginning", "--limit", 4, "--json", user=False)
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [each["type"] for each in found if "type" in each] == [event.type() for event in EVENTS]
    assert [each["problem"] for each in found if "problem" in each] == [
        "header ce_specversion: expected a value, found none"
    ]
    assert "‹sealed›" in answer.stdout


def test_it_ends_when_nothing_comes_any_more(
    run: Run, stack: Any, servers: dict[str, str], topic: str
) -> None:
    stack(kafka=servers["kafka"])
    answer = run("tail", topic, "--timeout", 0.5)
    assert (answer.exit_code, answer.stdout) == (0, "")
    lines = run("tail", topic, "--from-beginning", "--timeout", 1).stdout.splitlines()
    assert len(lines) == len(EVENTS) + 1


def test_a_topic_that_is_not_there_is_said_and_not_made(
    run: Run, stack: Any, servers: dict[str, str], topic: str
) -> None:
    stack(kafka=servers["kafka"])
    for _ in range(2):
        answer = run("tail", topic.replace("intake", "moon"))
        assert answer.exit_code == 1
        assert "there is no topic" in answer.stderr
        assert topic in "".join(answer.stderr.split())


def test_opened_values_stand_in_the_line(run: Run, stack: Any, servers: dict[str, str], topic: str) -> None:
    def audit(asked: Any) -> tuple[int, Any]:
        return 200, {"values": ["opened" for _ in asked.json()["values"]]}

    with serving(audit) as double:
        stack(kafka=servers["kafka"], audit=double.url)
        answer = run("tail", topic, "--from-beginning", "--limit", 4, "--open")
    assert "name opened" in answer.stdout
    assert "‹sealed›" not in answer.stdout
    assert {asked.headers["caretrail-actor"] for asked in double.asked} == {"ana;coordinator"}
    assert len(double.asked) == len(EVENTS)
