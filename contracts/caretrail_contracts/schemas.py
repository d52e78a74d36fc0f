"""The published form of each event: JSON Schema 2020-12 of what its writer sends, closed and complete.

The writer of an event sends every field, so every field is required; the reader in this package is
more lenient (see ``Event.from_bytes``).
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .event import Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's body, with ``$id`` = the dataschema its records name."""
    schema = event.model_json_schema(mode="serialization", schema_generator=_Writer)
    return {"$schema": DIALECT, "$id": event.schema_uri()} | schema


def to_text(document: dict[str, Any]) -> str:
    """A JSON document as it is laid down in files: indented, in order, ending in a newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _Writer(GenerateJsonSchema):
    """Schemas that catch a wrong value even where the validator does not assert formats."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # "Starts On" says no more than starts_on

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        return True

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:
        return {"type": "string", "format": "uuid", "pattern": f"^{_UUID}$"}

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        return {"type": "string", "format": "date", "pattern": f"^{_DATE}$"}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time", "pattern": f"^{_DATE}T{_TIME}Z$"}

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        # no format: "time" of RFC 3339 has an offset, a local time of day has none
        return {"type": "string", "pattern": f"^{_TIME}$"}
