"""CloudEvents 1.0 over Kafka: attributes and data of any message, in binary or structured mode.

Kafka Protocol Binding 1.0.2, sections 3.2 (binary) and 3.3 (structured); JSON Event Format 1.0.2.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

Attributes = dict[str, str]
"""CloudEvents attributes by name; one that is null or left out is not in it."""

PREFIX = "ce_"


class BrokenHeader(ValueError):
    """A CloudEvents header is missing or cannot be read; the message names it, never its value."""

    def __init__(self, header: str, expected: str) -> None:
        super().__init__(f"header {header}: expected {expected}")
        self.header, self.expected = header, expected


def read_message(headers: Iterable[tuple[str, bytes | None]], value: bytes) -> tuple[Attributes, bytes]:
    """The attributes and the data of a Kafka message. Raises BrokenHeader."""
    attributes = _from_headers(headers)
    content_type = attributes.get("datacontenttype", "").lower()
    if not content_type.startswith("application/cloudevents"):
        return attributes, value
    if content_type.partition(";")[0].strip() != "application/cloudevents+json":
        raise BrokenHeader("content-type", "application/json, or application/cloudevents+json for one event")
    try:
        return _from_json(value)
    except (UnicodeEncodeError, RecursionError):  # half of a surrogate pair; brackets without end
        raise BrokenHeader("content-type", "JSON of whole characters, not too deep") from None


def header_of(attribute: str) -> str:
    """The Kafka header that carries an attribute in binary mode."""
    return "content-type" if attribute == "datacontenttype" else PREFIX + attribute


def _from_headers(headers: Iterable[tuple[str, bytes | None]]) -> Attributes:
    attributes: Attributes = {}
    for header, value in headers:
        if value is None or not (name := attribute_of(header)):
            continue
        if name in attributes:
            raise BrokenHeader(header, "one value, found several")
        try:
            attributes[name] = value.decode()
        except UnicodeDecodeError:
            raise BrokenHeader(header, "UTF-8") from None
    return attributes


@lru_cache(maxsize=64)
def attribute_of(header: str) -> str | None:
    """The attribute that a Kafka header carries; None where it carries none."""
    if header == "content-type":
        return "datacontenttype"
    return header[len(PREFIX) :] if header.startswith(PREFIX) else None


def _from_json(value: bytes) -> tuple[Attributes, bytes]:
    try:
        event = json.loads(value)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise BrokenHeader("content-type", "a body that is one CloudEvents JSON object")
    data, encoded = event.pop("data", None), event.pop("data_base64", None)
    attributes = {name: _text(content) for name, content in event.items() if content is not None}
    if encoded is not None:
        return attributes, _decoded(encoded)
    if isinstance(data, str) and "json" not in attributes.get("datacontenttype", "json"):
        return attributes, data.encode()
    return attributes, b"" if data is None else json.dumps(data, ensure_ascii=False).encode()


def _decoded(encoded: object) -> bytes:
    try:
        return base64.b64decode(str(encoded), validate=True)
    except ValueError:
        raise BrokenHeader("data_base64", "base64") from None


def _text(content: Any) -> str:
    if isinstance(content, bool):
        return "true" if content else "false"
    return str(content)
