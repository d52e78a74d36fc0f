"""Headers as relays write them become an envelope in one pass: what a reader spends most of its time on.

What is not as it should be is not judged here: it is None, and :mod:`.attributes` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from .attributes import BIGINT_MAX, INTEGER_MAX, NAME_MAX, TIME_MAX, WHAT, WHO, instant_of, what_of, who_of
from .binding import attribute_of
from .envelope import PARTITIONS, Envelope

NEEDED = (
    *("id", "position", "partition", "partitionkey", "stream", "streamversion"),
    *("time", "recordedat", "correlationid", "commandid"),
)
OPTIONAL = ("patient", "causationid", "prev")
KNOWN = {*WHAT, *WHO, *NEEDED, *OPTIONAL}

LAYOUTS_MAX = 64
"""Orders of headers that are remembered: a relay's differ in what is left out."""

_Values = tuple[bytes | None, ...]
_layouts: dict[tuple[str, ...], Callable[[_Values], Any]] = {}
_parse = TypeAdapter(UUID).validator.validate_python
_PARTITIONS = {b"%d" % number: number for number in range(PARTITIONS)}


def learn(names: tuple[str, ...]) -> None:
    """Remember the order of a message's headers, whose envelope was made of them."""
    attributes = [attribute_of(name) for name in names]
    if len(_layouts) < LAYOUTS_MAX and set(NEEDED) <= set(attributes) <= KNOWN:
        at = {attribute: place for place, attribute in enumerate(attributes)}
        # What is left out stands behind the last.
        _layouts[names] = itemgetter(
            *[at.get(name, len(names)) for name in (*WHAT, *WHO, *NEEDED, *OPTIONAL)]
        )


def envelope_of(headers: tuple[tuple[str, bytes | None], ...]) -> tuple[Envelope, int | None] | None:
    """The envelope of a message whose order of headers is known, and the position before it; else None."""
    try:
        names, values = zip(*headers, strict=True)
        layout = _layouts.get(names)
        if layout is None or None in values:
            return None
        found = layout((*values, None))
        kind, version, source, epoch = _what(found[:7])
        (organisation, program, site), (actor, purpose), sensitivity = _who(found[7:14])
        id, position, partition, key, stream, stream_version, time, recorded = found[14:22]
        correlation, command, patient, cause, prev = found[22:]
        if key != (stream if patient is None else patient) or len(id) != 36:
            return None
        person = None if patient is None else _patient(patient)
        envelope = Envelope(
            _parse(id.decode()), kind, version, source, epoch, _number(position, 1), _PARTITIONS[partition],
            _stream(stream), _number(stream_version, 1, INTEGER_MAX), _instant(time), _instant(recorded),
            organisation, program, site, person, actor, purpose, _uuid(correlation),
            None if cause is None else _uuid(cause), _uuid(command), sensitivity,
        )  # fmt: skip
        return envelope, None if prev is None else _number(prev, 0)
    except (ValueError, KeyError):
        return None


@lru_cache(maxsize=4_096)
def _what(values: _Values) -> tuple[str, int, str, int]:
    return what_of(*[None if value is None else value.decode() for value in values])


@lru_cache(maxsize=4_096)
def _who(values: _Values) -> Any:
    return who_of(*[None if value is None else value.decode() for value in values])


def _number(value: bytes, least: int, most: int = BIGINT_MAX) -> int:
    if value.isdigit() and len(value) <= 19 and least <= (found := int(value)) <= most:
        return found
    raise ValueError


def _stream(value: bytes) -> str:
    if 0 < len(found := value.decode()) <= NAME_MAX and "\0" not in found:
        return found
    raise ValueError


def _instant(value: bytes) -> Any:
    if len(value) <= TIME_MAX and (found := instant_of(value.decode())):
        return found
    raise ValueError


@lru_cache(maxsize=16_384)
def _uuid(value: bytes) -> UUID:
    """Most come again: a command's id as its events' correlation."""
    if len(value) != 36:
        raise ValueError
    found: UUID = _parse(value.decode())
    return found


@lru_cache(maxsize=16_384)
def _patient(value: bytes) -> UUID:
    """In the form that keys have: small letters."""
    if str(found := _uuid(value)).encode() != value:
        raise ValueError
    return found
