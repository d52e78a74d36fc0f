"""CloudEvents' own conformance cases for Kafka and JSON, where the files are at hand."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from caretrail_contracts.binding import BrokenHeader, read_message

DATA = (
    Path(os.environ.get("CARETRAIL_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "contracts"
)
FEATURE = DATA / "cloudevents_conformance_kafka-protocol-binding.feature"
VALID = DATA / "cloudevents_conformance_valid-events.json"
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def table(text: str) -> dict[str, str]:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.split("\n")
        if "|" in line
    ]
    return {name: value for name, value in rows if name != "key"}


def scenarios() -> list[tuple[dict[str, str], str, dict[str, str], str]]:
    """Headers, payload, attributes and data of each scenario, with each example of an outline."""
    if not FEATURE.exists():
        return []
    found = []
    for part in FEATURE.read_text().split("Scenario")[1:]:
        (payload, data), parts = re.findall(r'"""(.*?)"""', part, re.DOTALL), re.split(r'"""', part)
        headers, attributes = parts[2].split("Then the attributes are:")
        examples = re.findall(r"\| (application/cloudevents\S*[^|]*)\|", part.partition("Examples:")[2] + "|")
        for content_type in examples or [""]:
            filled = table(headers.replace("<contentType>", content_type.strip()))
            found.append((filled, payload, table(attributes), data))
    return found


@pytest.mark.skipif(not FEATURE.exists(), reason="conformance files are not at hand")
def test_the_kafka_binding_reads_messages_as_the_conformance_feature_says() -> None:
    assert len(scenarios()) == 3
    for headers, payload, attributes, data in scenarios():
        found, value = read_message(
            [(name, text.encode()) for name, text in headers.items()], payload.encode()
        )
        assert found == attributes
        assert json.loads(value) == json.loads(data)


def cases() -> list[dict[str, Any]]:
    return json.loads(VALID.read_text())["tests"] if VALID.exists() else []


@pytest.mark.skipif(not VALID.exists(), reason="conformance files are not at hand")
def test_every_valid_event_is_read_and_those_of_one_sample_are_equal() -> None:
    samples: dict[str, list[dict[str, Any]]] = {}
    for case in cases():
        attributes, _ = read_message(STRUCTURED, json.dumps(case["event"]).encode())
        assert None not in attributes.values()
        known: dict[str, Any] = dict(attributes)
        if "time" in known:
            known["time"] = datetime.fromisoformat(known["time"])
        samples.setdefault(case["sampleId"], []).append(known)
    assert len(samples) == 6
    assert all(each == same[0] for same in samples.values() for each in same)


def test_data_in_structured_mode_may_be_json_text_or_base64() -> None:
    def data(**event: Any) -> bytes:
        return read_message(STRUCTURED, json.dumps(event).encode())[1]

    assert data(data={"minutes": 180}) == b'{"minutes": 180}'
    assert data(datacontenttype="text/plain", data="Simple text") == b"Simple text"
    assert data(data_base64="TWE=") == b"Ma"
    assert data() == b""


@pytest.mark.parametrize(
    ("content_type", "body", "named"),
    [
        (b"application/cloudevents+json", b"[]", "content-type"),
        (b"application/cloudevents+json", b"{", "content-type"),
        (b"application/cloudevents+json", b"[" * 100_000, "content-type"),
        (b"application/cloudevents+json", b'{"data": "\\ud800"}', "content-type"),
        (b"application/cloudevents+avro", b"{}", "content-type"),
        (b"application/cloudevents+json", b'{"data_base64": "*"}', "data_base64"),
    ],
)
def test_a_message_of_another_form_is_refused_at_its_place(
    content_type: bytes, body: bytes, named: str
) -> None:
    with pytest.raises(BrokenHeader) as refused:
        read_message([("content-type", content_type)], body)
    assert refused.value.header == named
