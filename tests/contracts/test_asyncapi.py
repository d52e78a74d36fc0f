"""The AsyncAPI document: every topic, every event on it, references that lead somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from caretrail_contracts import asyncapi
from caretrail_contracts.catalogue import SERVICES, all_events, events_on, name_of
from caretrail_contracts.frozen import home
from jsonschema import Draft202012Validator

DOCUMENT = asyncapi.document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def resolve(pointer: str, document: Any = DOCUMENT) -> Any:
    place: Any = document
    for step in pointer.removeprefix("#/").split("/"):
        place = place[step]
    return place


def test_there_is_a_channel_and_an_operation_for_each_service_s_topic() -> None:
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == [
        f"caretrail.{service}.events" for service in SERVICES
    ]
    assert {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()} == {
        f"#/channels/{service}" for service in SERVICES
    }


def test_a_channel_names_exactly_the_events_that_its_topic_carries() -> None:
    for service, channel in DOCUMENT["channels"].items():
        assert list(channel["messages"]) == [name_of(event) for event in events_on(service)]


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        if reference.startswith("#"):
            assert resolve(reference)
        else:
            assert (home() / Path(reference)).is_file(), reference


def test_the_headers_described_are_those_of_a_record() -> None:
    validator = Draft202012Validator(asyncapi.headers_schema())
    for event in all_events():
        headers = asyncapi.headers_of(event)
        assert set(headers) <= set(asyncapi.HEADERS)
        assert set(asyncapi.HEADERS) - set(headers) <= asyncapi.OPTIONAL
        validator.validate(headers)


def test_the_document_can_stand_alone_and_its_examples_validate() -> None:
    alone = asyncapi.document(refer=False)
    for reference in references(alone):
        assert resolve(reference, alone), "tools look a reference up in the whole document"
    for message in json.loads(json.dumps(alone))["components"]["messages"].values():
        validator = Draft202012Validator(message["payload"]["schema"])
        assert all(validator.is_valid(example["payload"]) for example in message["examples"])
