"""Problem documents (RFC 9457): what every service answers when it says no, as OpenAPI tells it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

MEDIA_TYPE = "application/problem+json"

SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "pattern": "^urn:caretrail:problem:[A-Za-z]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The path that was asked."},
        "places": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "expected"],
                "additionalProperties": False,
                "properties": {
                    "at": {"type": "string", "description": "A JSON pointer, a header or a place in a file."},
                    "expected": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "urn:caretrail:problem:Malformed",
            "title": "Malformed",
            "status": 422,
            "detail": "The request does not fit its schema; see places.",
            "instance": "/referrals",
            "places": [{"at": "/person/birth_date", "expected": "a day up to today"}],
        }
    ],
}
"""``places`` name what is wrong and what was expected there, never a value."""

MEANINGS = MappingProxyType(
    {
        400: "A header is missing or does not fit (who, why, the key of a command), or the body is no JSON",
        401: "The credential in force is missing",
        404: "There is nothing under this id",
        409: "A rule does not allow it; the problem's type names the rule",
        413: "The body, or the event that it leads to, is too large",
        422: "The request or its file does not fit; its key can be used again",
        503: "The service cannot take it now: send it again",
    }
)

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
    for status, meaning in MEANINGS.items()
}
"""Problem answers by status, as OpenAPI's response objects."""
