"""The topics as an AsyncAPI 3.0 document, made from the catalogue."""

from __future__ import annotations

import json
from typing import Any

from .catalogue import SERVICES, all_events, events_on, name_of
from .cloudevents import to_headers
from .envelope import PARTITIONS, topic_of
from .event import Event
from .examples import envelope_of, example
from .schemas import schema_of

SCHEMA_FORMAT = "application/schema+json;version=2020-12"

_UUID = {"type": "string", "format": "uuid"}
_TIME = {"type": "string", "format": "date-time"}
_NUMBER = {"type": "string", "pattern": "^[0-9]{1,19}$"}
_TEXT = {"type": "string", "minLength": 1}

HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "content-type": ({"const": "application/json"}, "Media type of the body."),
    "ce_specversion": ({"const": "1.0"}, "Version of CloudEvents."),
    "ce_id": (_UUID, "The event; the same event always has the same id."),
    "ce_type": (_TEXT, "Type of the event, such as caretrail.intake.PatientAdmitted."),
    "ce_source": (_TEXT, "Service and cell that recorded it: urn:caretrail:SERVICE:CELL."),
    "ce_time": (_TIME, "When it was true."),
    "ce_dataschema": (_TEXT, "$id of the JSON Schema of the body."),
    "ce_eventversion": (_NUMBER, "Version of the type."),
    "ce_epoch": (_NUMBER, "Epoch of the source's log; a new one begins when a log lost events."),
    "ce_position": (
        _NUMBER,
        "Position in the source's log. Keep the highest of each partition and drop the rest.",
    ),
    "ce_prev": (_NUMBER, "Position before it in this partition; absent on the first of an epoch."),
    "ce_partition": (_NUMBER, "Partition, by the key's murmur2 hash."),
    "ce_partitionkey": (
        _TEXT,
        "What order is kept by: the patient, else the stream. Equal to the record's key.",
    ),
    "ce_stream": (_TEXT, "The aggregate that it belongs to."),
    "ce_streamversion": (_NUMBER, "Its number in the stream, from 1."),
    "ce_recordedat": (_TIME, "When it was learned."),
    "ce_organisation": (_TEXT, "The organisation."),
    "ce_program": (_TEXT, "The program of care."),
    "ce_site": (_TEXT, "The site, where one is concerned."),
    "ce_patient": (_UUID, "Pseudonym of the patient, where one is concerned."),
    "ce_actorid": (_TEXT, "Who acted."),
    "ce_actorrole": (_TEXT, "In which role."),
    "ce_purpose": (_TEXT, "Why: purpose of use by HL7 v3 ActReason."),
    "ce_correlationid": (_UUID, "The conversation that it belongs to."),
    "ce_causationid": (_UUID, "The event that caused it; absent where a person did."),
    "ce_commandid": (_UUID, "The command that recorded it."),
    "ce_sensitivity": (
        {"enum": ["normal", "part2", "psychotherapy"]},
        "Unknown means part2 (42 CFR Part 2).",
    ),
}
"""Every header of a record, its schema and what it says."""

OPTIONAL = frozenset({"ce_prev", "ce_site", "ce_patient", "ce_causationid"})


def document(version: str = "1.0.0", refer: bool = True) -> dict[str, Any]:
    """The document; payloads refer to ``schemas/v<n>/…`` beside it, or hold the schemas themselves."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Caretrail events",
            "version": version,
            "description": "Domain events of an intensive outpatient program, as CloudEvents 1.0 in binary "
            "mode over Kafka. Fields marked x-sealed are encrypted: their readers ask Caretrail.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {service: _channel(service) for service in SERVICES},
        "operations": {f"send-{service}": _operation(service) for service in SERVICES},
        "components": {
            "messages": {name_of(event): _message(event, refer) for event in all_events()},
            "messageTraits": {"cloudevent": {"headers": headers_schema()}},
        },
    }


def headers_schema() -> dict[str, Any]:
    """The JSON Schema of a record's headers, each read as UTF-8."""
    return {
        "type": "object",
        "required": [name for name in HEADERS if name not in OPTIONAL],
        "properties": {name: schema | {"description": says} for name, (schema, says) in HEADERS.items()},
    }


def headers_of(event: type[Event]) -> dict[str, str]:
    """The headers of an event's example."""
    return {name: value.decode() for name, value in to_headers(envelope_of(event), prev=1017)}


def _channel(service: str) -> dict[str, Any]:
    return {
        "address": topic_of(service),
        "title": f"Events of {service}",
        "description": "Order is kept for each key, which is the patient, else the stream.",
        "messages": {
            name_of(event): {"$ref": f"#/components/messages/{name_of(event)}"}
            for event in events_on(service)
        },
        "bindings": {
            "kafka": {"topic": topic_of(service), "partitions": PARTITIONS, "bindingVersion": "0.5.0"},
        },
    }


def _operation(service: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{service}"},
        "summary": f"{service} publishes what happened.",
    }


def _message(event: type[Event], refer: bool) -> dict[str, Any]:
    name = name_of(event)
    schema = {"$ref": f"./schemas/v{event.version}/{name}.json"} if refer else _in_place(schema_of(event))
    return {
        "name": event.type(),
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().split("\n")[0],
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": schema},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
        "examples": [{"headers": headers_of(event), "payload": json.loads(example(event).to_bytes())}],
    }


def _in_place(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its definitions where they are used: tools look ``#/…`` up in the whole document.

    No event holds a value of its own kind, so that this ends.
    """
    definitions = schema.get("$defs", {})

    def put(part: Any) -> Any:
        if isinstance(part, list):
            return [put(each) for each in part]
        if not isinstance(part, dict):
            return part
        found = {name: put(each) for name, each in part.items() if name not in ("$ref", "$defs")}
        if "$ref" in part:
            found = put(definitions[part["$ref"].removeprefix("#/$defs/")]) | found
        return found

    return dict(put(schema))
